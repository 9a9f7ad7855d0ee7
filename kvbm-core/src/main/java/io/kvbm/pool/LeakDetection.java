package io.kvbm.pool;

/** How much is noted to find what is never closed. */
public enum LeakDetection {
    /** One call in 128 that opens handles has a net below it, and of one sequence in 128 is noted where it was opened. */
    SAMPLED(127),
    /** Every call and every sequence; for tests, as it costs more than the call itself. */
    FULL(0);

    private final int mask;

    LeakDetection(int mask) {
        this.mask = mask;
    }

    /** Whether this is one of the calls, counted from any number, of which more is noted. */
    public boolean isDue(int call) {
        return (call & mask) == 0;
    }
}
