package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** A configuration value is missing or contradicts another. */
public final class ConfigException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** A required value was not given. */
        MISSING(Decision.FATAL),

        /** A value is out of its range or contradicts another. */
        INVALID(Decision.FATAL);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public ConfigException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public ConfigException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /**
     * Returns where a number is 1 or more.
     *
     * @throws ConfigException {@code INVALID} where it is not
     */
    public static void requirePositive(String name, long value) {
        if (value < 1) {
            throw new ConfigException(Kind.INVALID, name + " is " + value + "; give 1 or more");
        }
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
