package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** NIXL refused a call or failed in it, or was kept from a call that would have harmed it. */
public final class NixlException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** An argument is out of its range, or does not go with the others. */
        INVALID_ARGUMENT(Decision.FATAL),

        /** An agent, a backend or a registration could not be made. */
        SETUP_FAILED(Decision.FATAL),

        /** The memory, or a part of it, is registered with this backend already. */
        ALREADY_REGISTERED(Decision.FATAL),

        /** The memory is not registered with this backend. */
        NOT_REGISTERED(Decision.FATAL),

        /** The bytes are not the metadata of an agent that this one can talk to. */
        MALFORMED_METADATA(Decision.MISS),

        /** No metadata of the remote agent is loaded, or none that covers what was asked for. */
        UNKNOWN_REMOTE(Decision.MISS),

        /** The connection to the remote agent broke; its metadata has to be loaded again. */
        DISCONNECTED(Decision.MISS),

        /** The request is under way; it can be posted again or closed once it is not. */
        ACTIVE(Decision.RETRY),

        /** The backend failed. */
        BACKEND_FAILED(Decision.MISS);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;
    private final String function;
    private final @Nullable String status;

    /**
     * An error of this kind; the message states value, limit and remedy.
     *
     * @param function the function of NIXL's C API that failed, or that was not called
     * @param status what it answered; null where it was not called
     */
    public NixlException(Kind kind, String function, @Nullable String status, String message) {
        super(kind.decision, message, null);
        this.kind = kind;
        this.function = function;
        this.status = status;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }

    /** The function of NIXL's C API that failed, or that was not called because it would have. */
    public String function() {
        return function;
    }

    /** The name of the status that the function answered; null where it was not called. */
    public @Nullable String status() {
        return status;
    }
}
