package io.kvbm.remote;

/** Of which blocks a checksum is computed by their owner and compared by whoever reads them. */
public enum ChecksumMode {
    /** Of none. */
    OFF,

    /** Of one block in 64; a reader does without where there is none. */
    SAMPLED,

    /** Of every block; a block without is not taken. */
    FULL;

    private static final int SAMPLE_BITS = 6;
    private static final long SPREAD = 0x9e37_79b9_7f4a_7c15L;

    /** Whether the content of this slot and generation is looked at; owner and reader choose the same ones. */
    boolean isDue(int slot, long generation) {
        return switch (this) {
            case OFF -> false;
            case SAMPLED -> ((slot * SPREAD + generation) * SPREAD) >>> (Long.SIZE - SAMPLE_BITS) == 0;
            case FULL -> true;
        };
    }
}
