package io.kvbm.block;

import java.util.Comparator;

/**
 * What the reuse order knows of a block. The natural order is the order of eviction of the reference: priority, then
 * the tick of the last return, then the tick of the last allocation, each unsigned, smallest first.
 *
 * @param priority the caller's wish to keep the block, unsigned; 0 goes first
 * @param returnedTick the pool's tick when the block was last returned
 * @param acquiredTick the pool's tick when the block was last allocated
 */
public record BlockMetadata(int priority, long returnedTick, long acquiredTick) implements Comparable<BlockMetadata> {

    private static final Comparator<BlockMetadata> ORDER = Comparator
            .comparing(BlockMetadata::priority, Integer::compareUnsigned)
            .thenComparing(BlockMetadata::returnedTick, Long::compareUnsigned)
            .thenComparing(BlockMetadata::acquiredTick, Long::compareUnsigned);

    @Override
    public int compareTo(BlockMetadata other) {
        return ORDER.compare(this, other);
    }
}
