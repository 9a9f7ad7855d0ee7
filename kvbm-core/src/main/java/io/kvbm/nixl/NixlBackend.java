package io.kvbm.nixl;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.NixlException;
import io.kvbm.storage.StorageType;

/**
 * A way on which an agent moves bytes, made of a plugin such as {@code UCX}: memory is registered with it, and requests
 * are made of it. It lasts as long as its agent.
 */
public final class NixlBackend {

    private static final int DRAM = 0;
    private static final int VRAM = 1;
    private static final long HOST = 0;
    private static final long NO_METADATA = 0;

    private final NixlAgent agent;
    private final AgentCore core;
    private final String plugin;
    private final NativeHandle handle;
    private final long options;
    private final RegisteredRanges registered = new RegisteredRanges();

    private NixlBackend(NixlAgent agent, String plugin, NativeHandle handle, long options) {
        this.agent = agent;
        this.core = agent.core();
        this.plugin = plugin;
        this.handle = handle;
        this.options = options;
    }

    /** Called under the lock of the agent. */
    static NixlBackend create(NixlAgent agent, String plugin, Map<String, String> parameters) {
        AgentCore core = agent.core();
        NixlApi api = core.api();
        try (Arena arena = Arena.ofConfined()) {
            Out out = core.out();
            long name = arena.allocateFrom(plugin).address();
            int known = api.getPluginParams(core.pointer(), name, out.first(), out.second());
            if (!NixlStatus.isGood(known)) {
                throw NixlStatus.failure(known, "nixl_capi_get_plugin_params", NixlException.Kind.SETUP_FAILED,
                        "Agent " + core.name() + " has no plugin " + plugin + "; NIXL offers " + agent.plugins());
            }
            api.destroyMemList(out.value());
            long settings = out.secondValue();
            try {
                parameters.forEach((key, value) -> api.paramsAdd(settings, arena.allocateFrom(key).address(),
                        arena.allocateFrom(value).address()));
                NixlStatus.check(api.createBackend(core.pointer(), name, settings, out.first()),
                        "nixl_capi_create_backend", NixlException.Kind.SETUP_FAILED, "Backend " + plugin + " of agent "
                                + core.name() + " does not start with parameters " + parameters
                                + "; NIXL's log on standard error says why");
            } finally {
                api.destroyParams(settings);
            }
            long backend = out.value();
            long options = options(core, backend);
            NativeHandle handle = new NativeHandle(core.lock(), "Backend " + plugin + " of agent " + core.name(),
                    backend, pointer -> {
                        api.destroyOptArgs(options);
                        api.destroyBackend(pointer);
                    }, List.of(core.handle()));
            return new NixlBackend(agent, plugin, handle, options);
        }
    }

    /** Arguments that choose a backend. */
    private static long options(AgentCore core, long backend) {
        core.api().createOptArgs(core.out().first());
        long options = core.out().value();
        core.api().optArgsAddBackend(options, backend);
        return options;
    }

    AgentCore core() {
        return core;
    }

    /** The arguments that choose this backend and nothing else, while it is open. Called under the lock. */
    long options() {
        handle.pointer();
        return options;
    }

    /** Arguments of a caller's own that choose this backend, to be destroyed by it. Called under the lock. */
    long newOptions() {
        return options(core, handle.pointer());
    }

    /** The agent that it belongs to. */
    public NixlAgent agent() {
        return agent;
    }

    /** The plugin that it is made of. */
    public String plugin() {
        return plugin;
    }

    /**
     * Registers host memory, which has to stay until the registration is closed. Registration gives no rights away: any
     * agent that loads the metadata can read and write all of it.
     *
     * @throws NixlException {@code ALREADY_REGISTERED} where a part of it is, without a call of NIXL;
     *         {@code SETUP_FAILED} where the backend refuses
     */
    public NixlMemory register(long address, long size) {
        return register(new StorageType.System(), address, size);
    }

    /**
     * Registers memory of this kind, see {@link #register(long, long)}; that of a GPU only where the plugin knows GPUs.
     */
    public NixlMemory register(StorageType type, long address, long size) {
        TransferRanges.requireRange(address, size);
        NixlApi api = core.api();
        core.lock().lock();
        try {
            long chosen = options();
            registered.requireFree(plugin, address, size);
            String name = "Memory of " + size + " bytes at 0x" + Long.toHexString(address) + " of agent "
                    + core.name();
            long list = registrationList(core, type, address, size);
            int status = api.registerMem(core.pointer(), list, chosen);
            if (!NixlStatus.isGood(status)) {
                api.destroyRegDlist(list);
                throw NixlStatus.failure(status, "nixl_capi_register_mem", NixlException.Kind.SETUP_FAILED,
                        name + " cannot be registered with backend " + plugin + "; check that it is this process's");
            }
            // without this object, which holds the agent
            RegisteredRanges ranges = registered;
            AgentCore shared = core;
            NativeHandle memory = new NativeHandle(core.lock(), name, list, pointer -> {
                ranges.remove(address);
                int answer = api.deregisterMem(shared.pointer(), pointer, chosen);
                api.destroyRegDlist(pointer);
                NixlStatus.check(answer, "nixl_capi_deregister_mem", NixlException.Kind.BACKEND_FAILED,
                        name + " was not withdrawn cleanly");
            }, List.of(handle));
            registered.add(address, size, memory);
            return new NixlMemory(this, address, size, memory);
        } finally {
            core.lock().unlock();
        }
    }

    private static long registrationList(AgentCore core, StorageType type, long address, long size) {
        boolean onGpu = type instanceof StorageType.Device;
        core.api().createRegDlist(onGpu ? VRAM : DRAM, core.out().first());
        long list = core.out().value();
        core.api()
                .regDlistAddDesc(list, address, size, type instanceof StorageType.Device(int gpu) ? gpu : HOST,
                        NO_METADATA, 0);
        return list;
    }

    /**
     * Prepares ranges of this process.
     *
     * @throws NixlException {@code NOT_REGISTERED} where one is not within memory that is registered with this backend
     */
    public PreparedList prepare(TransferRanges ranges) {
        core.lock().lock();
        try {
            return prepare("", ranges, null, List.copyOf(registered.covering(plugin, ranges)));
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * Prepares ranges of a remote agent.
     *
     * @throws NixlException {@code UNKNOWN_REMOTE} where its metadata does not cover one of them
     */
    public PreparedList prepare(RemoteAgent remote, TransferRanges ranges) {
        requireSameAgent(remote);
        core.lock().lock();
        try {
            remote.handle().pointer();
            return prepare(remote.name(), ranges, remote, List.of(handle, remote.handle()));
        } finally {
            core.lock().unlock();
        }
    }

    private PreparedList prepare(String owner, TransferRanges ranges, @Nullable RemoteAgent remote,
            List<NativeHandle> foundations) {
        NixlApi api = core.api();
        String name = "Prepared list of " + ranges.size() + " ranges of "
                + (remote == null ? "agent " + core.name() : "remote agent " + owner);
        long list = transferList(ranges);
        try (Arena arena = Arena.ofConfined()) {
            NixlStatus.check(
                    api.prepXferDlist(core.pointer(), arena.allocateFrom(owner).address(), list,
                            core.out().first(), options()),
                    "nixl_capi_prep_xfer_dlist",
                    remote == null ? NixlException.Kind.NOT_REGISTERED : NixlException.Kind.UNKNOWN_REMOTE,
                    name + " cannot be made for backend " + plugin + "; "
                            + (remote == null ? "register the memory" : "load metadata that cover the ranges"));
            AgentCore shared = core;
            NativeHandle prepared = new NativeHandle(core.lock(), name, core.out().value(),
                    pointer -> api.releaseXferDlistHandle(shared.pointer(), pointer), foundations);
            return new PreparedList(this, ranges, remote, prepared);
        } finally {
            api.destroyXferDlist(list);
        }
    }

    /** A list of NIXL's own; the C API takes one range per call. */
    private long transferList(TransferRanges ranges) {
        NixlApi api = core.api();
        api.createXferDlist(DRAM, core.out().first());
        long list = core.out().value();
        for (int i = 0; i < ranges.size(); i++) {
            api.xferDlistAddDesc(list, ranges.address(i), ranges.length(i), HOST);
        }
        return list;
    }

    /**
     * Makes a request of prepared ranges: the local range that each index names is paired with the remote one at the
     * same place. Neighbours that lie one after the other on both sides are moved as one.
     *
     * @throws NixlException {@code INVALID_ARGUMENT} where the lists are not one local and one remote of this backend,
     *         the counts differ, an index is not in its list, or the two ranges of a pair have different lengths;
     *         {@code UNKNOWN_REMOTE} where the remote agent is gone
     */
    public NixlRequest request(NixlOperation operation, PreparedList local, int[] localIndices, PreparedList remote,
            int[] remoteIndices) {
        RemoteAgent target = remote.remote();
        if (local.remote() != null || target == null || local.backend() != this || remote.backend() != this) {
            throw invalid("nixl_capi_make_xfer_req", local + " and " + remote
                    + " are not a local and a remote list of backend " + plugin + " of agent " + core.name());
        }
        requirePairs(local.ranges(), localIndices, remote.ranges(), remoteIndices);
        core.lock().lock();
        try {
            long indices = core.indices().write(localIndices, remoteIndices);
            int status = core.api()
                    .makeXferReq(core.pointer(), operation.code(), local.handle().pointer(), indices,
                            localIndices.length, remote.handle().pointer(),
                            indices + (long) localIndices.length * Integer.BYTES, remoteIndices.length,
                            core.out().first(), options());
            return request("nixl_capi_make_xfer_req", status, operation, target,
                    List.of(local.handle(), remote.handle()), List.of(local, remote));
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * Makes a request of ranges that are not prepared, pair by pair.
     *
     * @throws NixlException {@code INVALID_ARGUMENT} where the counts or the lengths of a pair differ,
     *         {@code NOT_REGISTERED} where a local range is not registered, {@code BACKEND_FAILED} where NIXL refuses,
     *         which it does without a reason, as where the remote metadata do not cover a range
     */
    public NixlRequest request(NixlOperation operation, TransferRanges local, RemoteAgent remote,
            TransferRanges remoteRanges) {
        requireSameAgent(remote);
        if (local.size() != remoteRanges.size()) {
            throw invalid("nixl_capi_create_xfer_req", local.size() + " local ranges and " + remoteRanges.size()
                    + " remote ones are given; give as many");
        }
        for (int i = 0; i < local.size(); i++) {
            requireSameLength("nixl_capi_create_xfer_req", i, local.length(i), remoteRanges.length(i));
        }
        NixlApi api = core.api();
        core.lock().lock();
        try (Arena arena = Arena.ofConfined()) {
            remote.handle().pointer();
            List<NativeHandle> foundations = new ArrayList<>(registered.covering(plugin, local));
            foundations.add(remote.handle());
            long chosen = options();
            long from = transferList(local);
            long to = transferList(remoteRanges);
            int status = api.createXferReq(core.pointer(), operation.code(), from, to,
                    arena.allocateFrom(remote.name()).address(), core.out().first(), chosen);
            api.destroyXferDlist(from);
            api.destroyXferDlist(to);
            return request("nixl_capi_create_xfer_req", status, operation, remote, foundations, List.of());
        } finally {
            core.lock().unlock();
        }
    }

    private NixlRequest request(String function, int status, NixlOperation operation, RemoteAgent remote,
            List<NativeHandle> foundations, List<PreparedList> lists) {
        String name = operation + " request of agent " + core.name() + " with " + remote.name();
        if (!NixlStatus.isGood(status)) {
            throw NixlStatus.failure(status, function,
                    NixlStatus.ERROR_INVALID_PARAM.is(status) ? NixlException.Kind.INVALID_ARGUMENT
                            : NixlStatus.ERROR_NOT_FOUND.is(status) ? NixlException.Kind.UNKNOWN_REMOTE
                                    : NixlException.Kind.BACKEND_FAILED,
                    "A " + name + " cannot be made; load metadata that cover its ranges");
        }
        return NixlRequest.of(this, remote, name, core.out().value(), foundations, lists);
    }

    private void requireSameAgent(RemoteAgent remote) {
        if (remote.agent() != agent) {
            throw invalid("nixl_capi_prep_xfer_dlist", remote + " was loaded by agent " + remote.agent().name()
                    + "; load it into agent " + core.name());
        }
    }

    private static void requirePairs(TransferRanges local, int[] localIndices, TransferRanges remote,
            int[] remoteIndices) {
        if (localIndices.length == 0 || localIndices.length != remoteIndices.length) {
            throw invalid("nixl_capi_make_xfer_req", localIndices.length + " local indices and "
                    + remoteIndices.length + " remote ones are given; give as many, and at least one");
        }
        for (int i = 0; i < localIndices.length; i++) {
            requireIndex(localIndices[i], local.size());
            requireIndex(remoteIndices[i], remote.size());
            requireSameLength("nixl_capi_make_xfer_req", i, local.length(localIndices[i]),
                    remote.length(remoteIndices[i]));
        }
    }

    private static void requireIndex(int index, int size) {
        if (index < 0 || index >= size) {
            throw invalid("nixl_capi_make_xfer_req",
                    "Index " + index + " is not in a list of " + size + " ranges; stay inside");
        }
    }

    private static void requireSameLength(String function, int pair, long local, long remote) {
        if (local != remote) {
            throw invalid(function, "Pair " + pair + " has " + local + " local and " + remote
                    + " remote bytes; give ranges of one length");
        }
    }

    private static NixlException invalid(String function, String message) {
        return new NixlException(NixlException.Kind.INVALID_ARGUMENT, function, null, message);
    }

    @Override
    public String toString() {
        return handle.toString();
    }
}
