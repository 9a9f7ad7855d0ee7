package io.kvbm.nixl;

import java.util.function.Function;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;

import io.kvbm.layout.BlockLayout;
import io.kvbm.transfer.BlockRanges;

/**
 * All blocks of a set, prepared: one range for each block where blocks are one run of bytes, and one for each part of
 * each block for transfers where the other side's are not. Either list is made when it is needed first.
 */
final class PreparedBlocks implements AutoCloseable {

    private final BlockRanges blocks;
    private final BlockLayout layout;
    private final Function<TransferRanges, PreparedList> prepare;
    private @Nullable PreparedList wholes;
    private @Nullable PreparedList parts;

    PreparedBlocks(BlockRanges blocks, Function<TransferRanges, PreparedList> prepare) {
        this.blocks = blocks;
        this.layout = blocks.layout();
        this.prepare = prepare;
    }

    /** The ranges of whole blocks, or of their parts. */
    synchronized PreparedList list(boolean whole) {
        if (whole) {
            if (wholes == null) {
                wholes = prepare.apply(ranges(1, layout.bytesPerBlock()));
            }
            return wholes;
        }
        if (parts == null) {
            parts = prepare.apply(ranges(partsPerBlock(), layout.regionSize()));
        }
        return parts;
    }

    private int partsPerBlock() {
        return layout.numLayers() * layout.outerDim();
    }

    private TransferRanges ranges(int each, long length) {
        long[] addresses = new long[Math.multiplyExact(layout.numBlocks(), each)];
        long[] lengths = new long[addresses.length];
        for (int i = 0; i < addresses.length; i++) {
            int part = i % each;
            addresses[i] = blocks.address(i / each, part / layout.outerDim(), part % layout.outerDim());
            lengths[i] = length;
        }
        return TransferRanges.of(addresses, lengths);
    }

    /** Where blocks, or their parts in order, stand in {@link #list}. */
    int[] indices(int[] slots, boolean whole) {
        int each = partsPerBlock();
        return whole ? slots
                : IntStream.of(slots)
                        .flatMap(slot -> IntStream.range(slot * each, (slot + 1) * each))
                        .toArray();
    }

    /** Whether what it was made for is gone. */
    synchronized boolean isGone() {
        return (wholes != null && !wholes.isOpen()) || (parts != null && !parts.isOpen());
    }

    @Override
    public synchronized void close() {
        if (wholes != null) {
            wholes.close();
        }
        if (parts != null) {
            parts.close();
        }
    }
}
