package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** A block descriptor list could not be made, written or read. */
public final class DescriptorException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** A list describes at least one block. */
        EMPTY_INPUT(Decision.FATAL),

        /** The blocks are not all of one worker and one block set. */
        NOT_HOMOGENEOUS(Decision.FATAL),

        /** A block was closed before it was described. */
        INVALID_BLOCK_HANDLE(Decision.FATAL),

        /** The text is not a block descriptor list. */
        SERIALIZATION(Decision.FATAL);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public DescriptorException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public DescriptorException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
