package io.kvbm.nixl;

import java.util.HashMap;
import java.util.Map;

import io.kvbm.error.NixlException;
import io.kvbm.error.StorageException;
import io.kvbm.storage.HostStorage;
import io.kvbm.storage.Storage;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.RemoteTransport;

/** One agent of NIXL with one backend, as the way to the memory of workers on other hosts. */
public final class NixlTransport implements RemoteTransport {

    /** The key under which storage is registered. */
    private static final String NAME = "nixl";

    private final NixlAgent agent;
    private final NixlBackend backend;
    private final TransferPoller poller;
    private final Map<RemoteAgent, Integer> uses = new HashMap<>();
    private final Map<BlockRanges, PreparedBlocks> prepared = new HashMap<>();

    private NixlTransport(NixlAgent agent, NixlBackend backend) {
        this.agent = agent;
        this.backend = backend;
        this.poller = new TransferPoller(agent);
    }

    /**
     * Makes an agent.
     *
     * @param config its name, which no other life of any worker has, and how it works
     * @param plugin what moves the bytes, such as {@code UCX}
     * @param parameters of the plugin, those that are to differ from its own
     * @throws NixlException {@code SETUP_FAILED} where NIXL refuses
     */
    public static NixlTransport start(NixlLibrary library, NixlAgentConfig config, String plugin,
            Map<String, String> parameters) {
        NixlAgent agent = library.createAgent(config);
        try {
            return new NixlTransport(agent, agent.createBackend(plugin, parameters));
        } catch (RuntimeException | Error e) {
            agent.close();
            throw e;
        }
    }

    @Override
    public void register(Storage storage) {
        if (!(storage instanceof HostStorage host)) {
            throw new StorageException(StorageException.Kind.OPERATION_FAILED, "Memory of kind " + storage.type()
                    + " cannot be registered with NIXL here; share blocks that lie in host memory");
        }
        host.registrations().register(NAME, () -> backend.register(host.address(), host.size()));
    }

    @Override
    public byte[] metadata() {
        return agent.metadata();
    }

    @Override
    public RemoteAccess connect(String agent, byte[] metadata) {
        return new NixlAccess(this, backend, agent, metadata, poller);
    }

    /**
     * The agent of these metadata, which is loaded once however often it is asked for.
     *
     * @throws NixlException {@code MALFORMED_METADATA} where they are of an agent of another name
     */
    synchronized RemoteAgent acquire(String name, byte[] metadata) {
        RemoteAgent remote = agent.load(metadata);
        uses.merge(remote, 1, Integer::sum);
        if (!remote.name().equals(name)) {
            release(remote);
            throw new NixlException(NixlException.Kind.MALFORMED_METADATA, "nixl_capi_load_remote_md", null,
                    "The metadata are of agent " + remote.name() + ", not of " + name + "; fetch the blockset anew");
        }
        return remote;
    }

    /** Lets an agent go when nobody uses it any more: closing it ends whatever is under way with it. */
    synchronized void release(RemoteAgent remote) {
        if (uses.merge(remote, -1, Integer::sum) == 0) {
            uses.remove(remote);
            remote.close();
        }
    }

    synchronized PreparedBlocks prepared(BlockRanges blocks) {
        return prepared.computeIfAbsent(blocks, ranges -> new PreparedBlocks(ranges, backend::prepare));
    }

    /** The number of blocks that stay held because a transfer that nobody waits for may still write them. */
    public int unfinished() {
        return poller.abandoned();
    }

    @Override
    public void close() {
        poller.stop();
        agent.close();
        poller.release();
    }

    @Override
    public String toString() {
        return "NixlTransport[" + agent + ", " + backend.plugin() + "]";
    }
}
