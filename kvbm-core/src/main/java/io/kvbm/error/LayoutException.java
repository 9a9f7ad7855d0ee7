package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** A layout is inconsistent with itself or with its storage, or is asked for a region it does not have. */
public final class LayoutException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** A dimension, the alignment or the storage does not fit. */
        INVALID_CONFIG(Decision.FATAL),

        /** The block is not in this layout. */
        INVALID_BLOCK_INDEX(Decision.FATAL),

        /** The layer is not in this layout. */
        INVALID_LAYER_INDEX(Decision.FATAL),

        /** The outer part is not in this layout. */
        INVALID_OUTER_INDEX(Decision.FATAL),

        /** The storage under the layout could not be allocated. */
        OPERATION_FAILED(Decision.FATAL);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public LayoutException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public LayoutException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
