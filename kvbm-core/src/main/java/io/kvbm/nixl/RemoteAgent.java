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
            NixlStatus.check(status, "nixl_capi_agent_make_connection", NixlException.Kind.DISCONNECTED,
                    "Agent " + core.name() + " cannot connect to " + name + "; close it and load its metadata anew");
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
            NixlStatus.check(status, "nixl_capi_gen_notif", NixlException.Kind.DISCONNECTED, "A message of "
                    + message.length + " bytes cannot be sent to agent " + name);
        } finally {
            core.lock().unlock();
        }
    }

    /** Whether NIXL still has its metadata. Called under the lock. */
    boolean isKnown() {
        try (Arena arena = Arena.ofConfined()) {
            return NixlStatus.isGood(agent.core()
                    .api()
                    .checkRemoteMd(handle.pointer(), arena.allocateFrom(name).address(), 0));
        }
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
