package io.kvbm.sample.engine;

/** A request that cannot be served, through the client's fault or for now. */
public final class RefusedException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** Whose fault it is. */
    public enum Reason {
        /** The prompt is empty. */
        EMPTY_PROMPT,
        /** Prompt and answer together are longer than the model's context. */
        CONTEXT_LENGTH_EXCEEDED,
        /** Prompt and answer together need more blocks than the cache has at all. */
        CACHE_TOO_SMALL,
        /** As many requests are there as may be. */
        TOO_MANY_REQUESTS,
        /** Others use the cache; later there will be room. */
        OVERLOADED
    }

    private final Reason reason;

    RefusedException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /** Whose fault it is. */
    public Reason reason() {
        return reason;
    }
}
