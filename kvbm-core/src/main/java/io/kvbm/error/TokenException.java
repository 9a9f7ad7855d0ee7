package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** A token block refused an operation because of its content. */
public final class TokenException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** The block holds as many tokens as it can. */
        FULL(Decision.FATAL),

        /** The block is committed before it is full. */
        INCOMPLETE(Decision.FATAL),

        /** A token is taken from an empty block. */
        EMPTY(Decision.FATAL),

        /** More tokens are taken than there are. */
        INSUFFICIENT_TOKENS(Decision.FATAL);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public TokenException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public TokenException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
