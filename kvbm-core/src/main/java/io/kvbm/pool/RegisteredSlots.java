package io.kvbm.pool;

/** Takes note of registered blocks while their pool stands still, so it neither blocks nor calls the pool. */
@FunctionalInterface
public interface RegisteredSlots {

    /**
     * A block is registered.
     *
     * @param slot index of the block in its block set
     * @param generation how often the slot had left the registered state before
     * @param identity first 64 bits of the identity under which the block is found
     */
    void onRegistered(int slot, long generation, long identity);
}
