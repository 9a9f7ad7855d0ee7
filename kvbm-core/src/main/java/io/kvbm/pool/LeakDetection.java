package io.kvbm.pool;

/** How many of the calls that open handles have a net below them. Every {@code KvSequence} has one in any case. */
public enum LeakDetection {
    /** One call in 128. */
    SAMPLED,
    /** Every call; for tests, as it costs more than the call itself. */
    FULL
}
