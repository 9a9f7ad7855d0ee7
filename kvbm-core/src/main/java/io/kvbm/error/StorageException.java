package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** Memory could not be allocated, reached, filled or registered. */
public final class StorageException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** The operating system or a limit refused the memory. */
        ALLOCATION_FAILED(Decision.FATAL),

        /** The memory cannot be reached from this process. */
        NOT_ACCESSIBLE(Decision.FATAL),

        /** The request itself is wrong, such as a size of zero. */
        INVALID_CONFIG(Decision.FATAL),

        /** An operation on the memory failed or leaves its bounds. */
        OPERATION_FAILED(Decision.FATAL),

        /** The memory is already registered under this key. */
        REGISTRATION_KEY_EXISTS(Decision.FATAL),

        /** The memory is not registered under this key. */
        HANDLE_NOT_FOUND(Decision.FATAL);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public StorageException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public StorageException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
