package io.kvbm.remote;

/** How another worker writes into blocks that are leased to it. */
public enum Writer {
    /** It cannot: it asks, and this worker copies. So this worker knows when nothing is written any more. */
    ASKS,

    /** By itself, from the outside, as NIXL does. This worker knows that nothing is written any more only when it is told. */
    WRITES
}
