package io.kvbm.remote;

/** How another worker writes into blocks that are leased to it. */
public enum Writer {
    /**
     * It asks each time, and either this worker copies, or the writer writes by itself and says when it has done. So this
     * worker knows what is being written, and between two times nothing is.
     */
    ASKS,

    /**
     * By itself, from the outside, whenever it likes, as who has nothing but NIXL does. This worker knows that nothing is
     * written any more only when it is told.
     */
    WRITES
}
