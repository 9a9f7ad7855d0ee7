package io.kvbm.nixl;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.FirstFailure;
import io.kvbm.error.NixlException;
import io.kvbm.error.StorageException;
import io.kvbm.storage.HostStorage;
import io.kvbm.storage.RegistrableStorage;
import io.kvbm.storage.Storage;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.RemoteTransport;

/**
 * NIXL as the way to the memory of workers on other hosts: one agent by which they reach this worker, which lasts as long
 * as the transport, and one by which this worker reaches them, which is replaced where a transfer ends in doubt.
 */
public final class NixlTransport implements RemoteTransport {

    /** The key under which storage is registered. */
    private static final String NAME = "nixl";

    /** What is told by others and not taken yet; more is dropped, and what it would end ends by its time. */
    private static final int MOST_MESSAGES = 1 << 14;

    private static final Duration PATIENCE = Duration.ofSeconds(2);

    private static final Logger log = LoggerFactory.getLogger(NixlTransport.class);

    private final NixlAgent agent;
    private final NixlBackend backend;
    private final Initiators initiators;
    private final MemoryServer server;
    private final ThreadPoolExecutor messages = new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(MOST_MESSAGES), Thread.ofPlatform().name("kvbm-nixl-told").daemon().factory());
    private volatile Listener listener = (_, _) -> {};

    private NixlTransport(NixlAgent agent, NixlBackend backend, Initiators initiators) {
        this.agent = agent;
        this.backend = backend;
        this.initiators = initiators;
        messages.allowCoreThreadTimeOut(true);
        this.server = new MemoryServer(agent, this::told, initiators::look);
    }

    /**
     * Makes the agents.
     *
     * @param config how the agent that serves others works, and its name, which no other life of any worker has; the ones
     *        that reach them have the same name and a number behind it
     * @param plugin what moves the bytes, such as {@code UCX}
     * @param parameters of the plugin, those that are to differ from its own
     * @throws NixlException {@code SETUP_FAILED} where NIXL refuses
     */
    public static NixlTransport start(NixlLibrary library, NixlAgentConfig config, String plugin,
            Map<String, String> parameters) {
        return start(library, config, plugin, parameters, PATIENCE);
    }

    /**
     * Makes the agents.
     *
     * @param patience how long blocks are in doubt before the agent of their transfers is replaced, and how long it has
     *        to end then
     */
    static NixlTransport start(NixlLibrary library, NixlAgentConfig config, String plugin,
            Map<String, String> parameters, Duration patience) {
        NixlAgent agent = library.createAgent(config);
        try {
            NixlBackend backend = agent.createBackend(plugin, parameters);
            return new NixlTransport(agent, backend, new Initiators(
                    number -> initiator(library, config.name() + "#" + number, plugin, parameters),
                    patience));
        } catch (RuntimeException | Error e) {
            agent.close();
            throw e;
        }
    }

    private static Initiator initiator(NixlLibrary library, String name, String plugin,
            Map<String, String> parameters) {
        NixlAgent agent = library.createAgent(NixlAgentConfig.of(name));
        try {
            return new Initiator(agent, agent.createBackend(plugin, parameters));
        } catch (RuntimeException | Error e) {
            agent.close();
            throw e;
        }
    }

    @Override
    public void register(Storage storage) {
        switch (storage) {
            case HostStorage host -> register(host);
            case RegistrableStorage other -> registerForOthers(other);
            default -> throw new StorageException(StorageException.Kind.OPERATION_FAILED, "Memory of kind "
                    + storage.type() + " cannot be registered with NIXL here; share blocks that lie in host memory");
        }
    }

    /** What others may reach although no block is moved there by this worker. A plugin that does not know GPUs refuses. */
    private void registerForOthers(RegistrableStorage storage) {
        try {
            storage.registrations()
                    .register(NAME, () -> backend.register(storage.type(), storage.address(), storage.size()));
        } catch (NixlException e) {
            log.info("NIXL does not reach {}, so other workers get its blocks from host memory only: {}", storage,
                    e.getMessage());
        }
    }

    private void register(HostStorage host) {
        host.registrations().register(NAME, () -> {
            NixlMemory memory = backend.register(host.address(), host.size());
            try {
                initiators.register(host);
            } catch (RuntimeException | Error e) {
                memory.close();
                throw e;
            }
            return () -> {
                FirstFailure failure = new FirstFailure();
                failure.attempt(() -> initiators.withdraw(host));
                failure.attempt(memory::close);
                failure.rethrow();
            };
        });
    }

    @Override
    public byte[] metadata() {
        return agent.metadata();
    }

    @Override
    public RemoteAccess connect(long workerId, long epoch, byte[] metadata) {
        return new NixlAccess(initiators, workerId, epoch, metadata);
    }

    @Override
    public void expect() {
        server.expect();
    }

    @Override
    public void listen(Listener listener) {
        this.listener = listener;
    }

    private void told(List<NixlNotification> notifications) {
        for (NixlNotification notification : notifications) {
            try {
                messages.execute(() -> listener.onMessage(notification.agent(), notification.message()));
            } catch (RejectedExecutionException e) {
                log.warn("A message of agent {} is dropped: {} were not taken yet", notification.agent(),
                        MOST_MESSAGES);
            }
        }
    }

    /** The number of blocks that stay held because a transfer that nobody waits for may still move them. */
    public int unfinished() {
        return initiators.inDoubt();
    }

    /**
     * The agent that serves others ends, not only its registrations: who is reading already has the address, and UCX
     * would follow it into memory that is not there any more.
     */
    @Override
    public void withdraw() {
        agent.close();
    }

    @Override
    public void close() {
        FirstFailure failure = new FirstFailure();
        failure.attempt(server::stop);
        failure.attempt(initiators::close);
        failure.attempt(agent::close);
        failure.attempt(messages::shutdown);
        failure.rethrow();
    }

    @Override
    public String toString() {
        return "NixlTransport[" + agent + ", " + backend.plugin() + "]";
    }
}
