package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** A pool was addressed by another kind of block identity than it keeps. */
public final class IdentityException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** The pool keeps another kind of identity. */
        WRONG_KIND(Decision.FATAL);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public IdentityException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public IdentityException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
