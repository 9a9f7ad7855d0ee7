package io.kvbm.nixl;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;

import io.kvbm.error.NixlException;

/** Another agent whose metadata is loaded. */
public final class RemoteAgent implements AutoCloseable {

    private final NixlAgent agent;
    private final String name;
    private final NativeHandle handle;

    /** Called under the lock of the agent, once the metadata is loaded. */
    RemoteAgent(NixlAgent agent, String name) {
        this.agent = agent;
        this.name = name;
        AgentCore core = agent.core();
        // it has no pointer of its own: NIXL knows it by name, and the agent's stands for it
        this.handle = new NativeHandle(core.lock(), "Remote agent " + name, core.pointer(),
                pointer -> invalidate(core.api(), pointer, name), List.of(core.handle()));
    }

    private static void invalidate(NixlApi api, long agent, String name) {
        try (Arena arena = Arena.ofConfined()) {
            int status = api.invalidateRemoteMd(agent, arena.allocateFrom(name).address());
            // NIXL itself drops an agent to which a connection broke
            if (!NixlStatus.ERROR_NOT_FOUND.is(status)) {
                NixlStatus.check(status, "nixl_capi_invalidate_remote_md", NixlException.Kind.BACKEND_FAILED,
                        "The metadata of agent " + name + " was not dropped cleanly");
            }
        }
    }

    NixlAgent agent() {
        return agent;
    }

    NativeHandle handle() {
        return handle;
    }

    /** Its name. */
    public String name() {
        return name;
    }

    /** Whether its metadata is still loaded; it is dropped by {@link #close()} and where a connection breaks. */
    public boolean isLoaded() {
        return handle.isOpen();
    }

    /**
     * Connects now rather than at the first transfer.
     *
     * @throws NixlException {@code DISCONNECTED} where that fails
     */
    public void connect() {
        AgentCore core = agent.core();
        core.lock().lock();
        try (Arena arena = Arena.ofConfined()) {
            int status = core.api()
                    .agentMakeConnection(handle.pointer(), arena.allocateFrom(name).address(), 0);
            if (!NixlStatus.isGood(status)) {
                throw lost(status, "nixl_capi_agent_make_connection");
            }
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * Sends a message that its {@link NixlAgent#takeNotifications()} answers.
     *
     * @throws NixlException {@code DISCONNECTED} where it cannot be sent
     */
    public void send(byte[] message) {
        AgentCore core = agent.core();
        core.lock().lock();
        try (Arena arena = Arena.ofConfined()) {
            int status = core.api()
                    .genNotif(handle.pointer(), arena.allocateFrom(name).address(),
                            arena.allocateFrom(ValueLayout.JAVA_BYTE, message).address(),
                            message.length, 0);
            if (!NixlStatus.isGood(status)) {
                throw lost(status, "nixl_capi_gen_notif");
            }
        } finally {
            core.lock().unlock();
        }
    }

    /**
     * What a failed call has shown. The C API answers the same for a broken connection as for any other failure of a
     * backend, after which UCX uses the connection no more either way. So every failure is taken for the end of the
     * connection: what was made for the remote agent is closed, as its lists point into what the connection held. Called
     * under the lock.
     */
    NixlException lost(int status, String function) {
        NixlException gone = NixlStatus.failure(status, function, NixlException.Kind.DISCONNECTED,
                "The connection of agent " + agent.name() + " to " + name + " broke; load its metadata anew");
        agent.forget(this);
        handle.closeBecauseOf(gone);
        return gone;
    }

    /** Closes the requests and prepared lists that name it, and drops its metadata. Further calls do nothing. */
    @Override
    public void close() {
        AgentCore core = agent.core();
        core.lock().lock();
        try {
            agent.forget(this);
            handle.close();
        } finally {
            core.lock().unlock();
        }
    }

    @Override
    public String toString() {
        return handle.toString();
    }
}
