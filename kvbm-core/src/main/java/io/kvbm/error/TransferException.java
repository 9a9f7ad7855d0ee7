package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** A transfer was refused, failed, or was ended. */
public final class TransferException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** There are not as many destinations as sources. */
        COUNT_MISMATCH(Decision.FATAL),

        /** The request names no block. */
        NO_BLOCKS(Decision.FATAL),

        /** A destination is named twice or is also a source. */
        INVALID_REQUEST(Decision.FATAL),

        /** The two sides do not have the same layers, parts, size or type. */
        SHAPE_MISMATCH(Decision.FATAL),

        /** No engine moves bytes between these kinds of storage. */
        INCOMPATIBLE_TYPES(Decision.FATAL),

        /** The copy itself failed. */
        EXECUTION_FAILED(Decision.MISS),

        /** The deadline passed before the last byte was moved. */
        DEADLINE_EXCEEDED(Decision.MISS),

        /** The caller cancelled the transfer. */
        CANCELLED(Decision.MISS),

        /** As many transfers are under way as the limit allows. */
        TOO_MANY_IN_FLIGHT(Decision.RETRY);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public TransferException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public TransferException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
