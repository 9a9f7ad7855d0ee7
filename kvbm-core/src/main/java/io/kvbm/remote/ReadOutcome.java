package io.kvbm.remote;

/** What became of reading a block of another worker. Everything but {@link #TAKEN} is a miss, and says why. */
public enum ReadOutcome {
    /** The bytes are those that were wanted. */
    TAKEN,

    /** The owner has reused the slot since it was told of, or was started anew. */
    STALE,

    /** The slot holds other content than that which was asked for. */
    FOREIGN,

    /** The owner began to reuse the slot while it was read. */
    TORN,

    /** The bytes are not those of which the owner has computed the checksum. */
    CORRUPT,

    /** The owner has not computed a checksum, and blocks without one are not wanted. */
    UNCHECKED,

    /** The time for the read was over. */
    LATE
}
