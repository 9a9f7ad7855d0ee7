package io.kvbm.transfer;

import java.util.List;

import io.kvbm.block.BlockSet;
import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.MemoryRange;

/**
 * Where the blocks of one set lie, of this worker or of another: an address for each part of each block. Two are equal
 * where they are the same object, so that a transport may keep what it has prepared for one.
 */
public final class BlockRanges {

    private final BlockLayout layout;
    private final long[] bases;

    /**
     * Blocks of this layout.
     *
     * @param bases the address of the first block in each storage of the layout, unsigned
     */
    public BlockRanges(BlockLayout layout, long[] bases) {
        this.layout = layout;
        this.bases = bases.clone();
    }

    /** The blocks of a set of this worker. */
    public static BlockRanges of(BlockSet blocks) {
        BlockLayout layout = blocks.layout();
        List<MemoryRange> ranges = blocks.ranges();
        return new BlockRanges(layout, ranges.stream()
                .mapToLong(range -> range.address() + layout.baseOffset(range.address()))
                .toArray());
    }

    /** How the blocks are laid out. */
    public BlockLayout layout() {
        return layout;
    }

    /** Where a part of a block starts, unsigned. */
    public long address(int block, int layer, int outer) {
        return bases[layout.storageOf(layer)] + layout.offset(block, layer, outer);
    }
}
