package io.kvbm.pool;

/** Which of the blocks that nobody holds is reused first. */
public enum ReusePolicy {
    /** Least recently returned first, but never a block before the blocks that continue it: prefixes stay whole. */
    LINEAGE,
    /** The order of the reference: lowest priority, then least recently returned. */
    PRIORITY
}
