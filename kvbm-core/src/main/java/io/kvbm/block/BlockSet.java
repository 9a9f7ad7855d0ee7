package io.kvbm.block;

import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;

/**
 * The blocks that one layout cuts out of one level's memory, before any pool hands them out.
 *
 * @param memory where the blocks lie
 * @param number this set's number inside the worker
 * @param workerId the worker, unsigned
 * @param level the level the memory belongs to
 */
public record BlockSet(BlockMemory memory, int number, long workerId, CacheLevel level) {

    /** The address of one block of this set. */
    public BlockId id(int block) {
        return new BlockId(workerId, number, block);
    }

    /** Whether the other set has the same worker and number. */
    boolean isNamedAs(BlockSet other) {
        return workerId == other.workerId && number == other.number;
    }

    /** The number of blocks. */
    public int size() {
        return memory.layout().numBlocks();
    }
}
