package io.kvbm.block;

import java.util.List;

import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.MemoryRange;
import io.kvbm.storage.StorageType;

/**
 * The blocks that one layout cuts out of one level's memory, before any pool hands them out. It tells where they lie; their
 * bytes are reached through handles only.
 */
public final class BlockSet {

    final BlockMemory memory;

    private final int number;
    private final long workerId;
    private final CacheLevel level;

    /**
     * The blocks of a memory.
     *
     * @param memory where the blocks lie
     * @param number this set's number inside the worker
     * @param workerId the worker, unsigned
     * @param level the level the memory belongs to
     */
    public BlockSet(BlockMemory memory, int number, long workerId, CacheLevel level) {
        this.memory = memory;
        this.number = number;
        this.workerId = workerId;
        this.level = level;
    }

    /** This set's number inside the worker. */
    public int number() {
        return number;
    }

    /** The worker, unsigned. */
    public long workerId() {
        return workerId;
    }

    /** The level the memory belongs to. */
    public CacheLevel level() {
        return level;
    }

    /** The number of blocks. */
    public int size() {
        return layout().numBlocks();
    }

    /** How the blocks are laid out. */
    public BlockLayout layout() {
        return memory.layout();
    }

    /** The kind of memory. */
    public StorageType storageType() {
        return memory.storageType();
    }

    /** Whether the memory is lost, as that of a GPU which has failed; it never comes back. */
    public boolean isLost() {
        return memory.isLost();
    }

    /** The memory, one range for each storage of the layout. */
    public List<MemoryRange> ranges() {
        return memory.ranges();
    }

    /** The address of one block of this set. */
    public BlockId id(int block) {
        return new BlockId(workerId, number, block);
    }

    /** Whether the other set has the same worker and number. */
    boolean isNamedAs(BlockSet other) {
        return workerId == other.workerId && number == other.number;
    }
}
