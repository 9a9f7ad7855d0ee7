package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** A pool refused a request. */
public final class PoolException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** Fewer blocks are free or evictable than were asked for; nothing was taken. */
        NOT_ENOUGH_BLOCKS(Decision.RETRY),

        /** The blocks did not become available before the deadline; nothing was taken. */
        DEADLINE_EXCEEDED(Decision.RETRY),

        /** As many callers wait for blocks as the pool lets wait. */
        TOO_MANY_WAITERS(Decision.RETRY),

        /** The request needs more blocks than the pool has at all. */
        REQUEST_TOO_LARGE(Decision.FATAL),

        /** The block is not this pool's, or was handed over already. */
        INVALID_BLOCK(Decision.FATAL),

        /** The block has as many holders as its state word can count. */
        TOO_MANY_HOLDERS(Decision.RETRY);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public PoolException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public PoolException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
