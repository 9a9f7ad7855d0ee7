package io.kvbm.nixl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;

import io.kvbm.error.NixlException;

/**
 * This process as NIXL knows it: a name, backends that move bytes, and the remote agents whose metadata was loaded. It
 * may be called from any thread; one call is made at a time.
 */
public final class NixlAgent implements AutoCloseable {

    private static final int MAX_METADATA = 1 << 24;

    private static final StructLayout CONFIG = MemoryLayout.structLayout(
            ValueLayout.JAVA_BYTE.withName("enable_prog_thread"),
            ValueLayout.JAVA_BYTE.withName("enable_listen_thread"),
            MemoryLayout.paddingLayout(2),
            ValueLayout.JAVA_INT.withName("listen_port"),
            ValueLayout.JAVA_INT.withName("thread_sync"),
            ValueLayout.JAVA_INT.withName("num_workers"),
            ValueLayout.JAVA_LONG.withName("pthr_delay_us"),
            ValueLayout.JAVA_LONG.withName("lthr_delay_us"),
            ValueLayout.JAVA_BYTE.withName("capture_telemetry"),
            MemoryLayout.paddingLayout(7));
    private static final VarHandle PROGRESS_THREAD = CONFIG
            .varHandle(MemoryLayout.PathElement.groupElement("enable_prog_thread"));

    private final AgentCore core;
    private final Cleaner.Cleanable net;
    private final long notificationMap;
    private final AtomicBoolean isDestroyed;
    private final Map<String, NixlBackend> backends = new HashMap<>();
    private final Map<String, RemoteAgent> remotes = new HashMap<>();

    private NixlAgent(AgentCore core, long notificationMap, AtomicBoolean isDestroyed) {
        this.core = core;
        this.isDestroyed = isDestroyed;
        this.notificationMap = notificationMap;
        this.net = core.net().cast(this, core.handle());
    }

    static NixlAgent create(NixlApi api, CLibrary c, LeakNet net, NixlAgentConfig config) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment settings = arena.allocate(CONFIG);
            PROGRESS_THREAD.set(settings, 0L, config.progressThread() ? (byte) 1 : (byte) 0);
            Out out = new Out();
            NixlStatus.check(
                    api.createConfiguredAgent(arena.allocateFrom(config.name()).address(), settings.address(),
                            out.first()),
                    "nixl_capi_create_configured_agent", NixlException.Kind.SETUP_FAILED,
                    "The agent " + config.name() + " could not be made; NIXL's log on standard error says why");
            long agent = out.value();
            api.createNotifMap(out.first());
            long notificationMap = out.value();
            String what = "Agent " + config.name();
            ReentrantLock lock = new ReentrantLock();
            AtomicBoolean isDestroyed = new AtomicBoolean();
            NativeHandle handle = new NativeHandle(lock, what, agent, pointer -> {
                api.destroyNotifMap(notificationMap);
                NixlStatus.check(api.destroyAgent(pointer), "nixl_capi_destroy_agent",
                        NixlException.Kind.BACKEND_FAILED, what + " did not end well; nothing can be done about it");
                isDestroyed.set(true);
            }, List.of());
            return new NixlAgent(new AgentCore(api, c, lock, out, new Indices(), net, config.name(), handle),
                    notificationMap, isDestroyed);
        }
    }

    AgentCore core() {
        return core;
    }

    /** By which other agents know it. */
    public String name() {
        return core.name();
    }

    /** The plugins of which backends can be made, such as {@code UCX}. */
    public List<String> plugins() {
        NixlApi api = core.api();
        Out out = core.out();
        core.lock().lock();
        try {
            NixlStatus.check(api.getAvailablePlugins(core.pointer(), out.first()), "nixl_capi_get_available_plugins",
                    NixlException.Kind.SETUP_FAILED, "The plugins of agent " + name() + " could not be listed");
            long list = out.value();
            try {
                api.stringListSize(list, out.first());
                long count = out.value();
                List<String> names = new ArrayList<>();
                for (long i = 0; i < count; i++) {
                    api.stringListGet(list, i, out.first());
                    names.add(ForeignBytes.string(out.value()));
                }
                return List.copyOf(names);
            } finally {
                api.destroyStringList(list);
            }
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * Makes the backend of a plugin with the plugin's own parameters.
     *
     * @throws NixlException {@code SETUP_FAILED} where there is no such plugin, or it does not start
     */
    public NixlBackend createBackend(String plugin) {
        return createBackend(plugin, Map.of());
    }

    /**
     * Makes the backend of a plugin. It lasts as long as the agent.
     *
     * @param parameters those that are to differ from the plugin's own
     * @throws NixlException {@code SETUP_FAILED} where there is no such plugin, it does not start, or the agent has a
     *         backend of it already
     */
    public NixlBackend createBackend(String plugin, Map<String, String> parameters) {
        core.lock().lock();
        try {
            core.pointer();
            if (backends.containsKey(plugin)) {
                throw new NixlException(NixlException.Kind.SETUP_FAILED, "nixl_capi_create_backend", null,
                        "Agent " + name() + " has a backend " + plugin + " already; use that one");
            }
            NixlBackend backend = NixlBackend.create(this, plugin, parameters);
            backends.put(plugin, backend);
            return backend;
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * What another agent has to load to reach the registered memory of this one: connection and memory, as bytes. Memory
     * that is registered later is not in it.
     *
     * @throws NixlException {@code SETUP_FAILED} where the agent has no backend
     */
    public byte[] metadata() {
        Out out = core.out();
        core.lock().lock();
        try {
            NixlStatus.check(core.api().getLocalMd(core.pointer(), out.first(), out.second()),
                    "nixl_capi_get_local_md", NixlException.Kind.SETUP_FAILED,
                    "Agent " + name() + " has no metadata; make a backend first");
            long address = out.value();
            try {
                return ForeignBytes.copy(address, out.secondValue());
            } finally {
                core.c().free(address);
            }
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * Loads what another agent has given as its {@link #metadata()}. NIXL trusts these bytes: they have to come from a
     * peer that is trusted, unchanged. Loading again for the same agent adds what it has registered since.
     *
     * @throws NixlException {@code MALFORMED_METADATA} where they are none, or do not go with what is loaded of the same
     *         agent
     */
    public RemoteAgent load(byte[] metadata) {
        if (metadata.length == 0 || metadata.length > MAX_METADATA) {
            throw new NixlException(NixlException.Kind.MALFORMED_METADATA, "nixl_capi_load_remote_md", null,
                    "The metadata has " + metadata.length + " bytes; give 1 to " + MAX_METADATA);
        }
        core.lock().lock();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_BYTE, metadata);
            Out out = core.out();
            NixlStatus.check(core.api().loadRemoteMd(core.pointer(), data.address(), metadata.length, out.first()),
                    "nixl_capi_load_remote_md", NixlException.Kind.MALFORMED_METADATA,
                    "Agent " + name() + " cannot load " + metadata.length
                            + " bytes of metadata; close what is loaded of the same agent and fetch them anew");
            long address = out.value();
            String remote = ForeignBytes.string(address);
            core.c().free(address);
            RemoteAgent loaded = remotes.get(remote);
            if (loaded == null || !loaded.isLoaded()) {
                loaded = new RemoteAgent(this, remote);
                remotes.put(remote, loaded);
            }
            return loaded;
        } finally {
            core.lock().unlock();
        }
    }

    void forget(RemoteAgent remote) {
        remotes.remove(remote.name(), remote);
    }

    /**
     * Takes what other agents have notified this one of, in the order of each. Without a progress thread it is also what
     * moves the bytes that others get from or put into this agent's memory, so it has to be called again and again while
     * they do.
     */
    public List<NixlNotification> takeNotifications() {
        NixlApi api = core.api();
        core.lock().lock();
        try {
            int status = api.getNotifs(core.pointer(), notificationMap, 0);
            if (!NixlStatus.isGood(status)) {
                throw NixlStatus.failure(status, "nixl_capi_get_notifs", NixlException.Kind.BACKEND_FAILED, "Agent "
                        + name() + " cannot take notifications; it needs a backend that carries them, such as UCX");
            }
            return NixlNotification.takeAll(api, notificationMap, core.out());
        } finally {
            core.lock().unlock();
        }
    }

    /** Whether it was closed, and NIXL has destroyed it. */
    boolean isDestroyed() {
        return isDestroyed.get();
    }

    /** Closes requests, prepared lists, registrations and backends, then the agent. Further calls do nothing. */
    @Override
    public void close() {
        core.handle().close();
        net.clean();
    }

    @Override
    public String toString() {
        return core.handle().toString();
    }
}
