package io.kvbm.transfer;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockId;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.TransferException;

/**
 * The destinations of a request, each named once. Those of one block set, as nearly always, are kept as numbers in an
 * open-addressed table, at most half full.
 */
final class Targets {

    private final MutableBlock first;
    private final int[] table;
    private final int shift;
    private final @Nullable Set<BlockId> mixed;

    /** Refuses a block that is named twice: {@link TransferException} {@code INVALID_REQUEST}. */
    Targets(List<MutableBlock> destinations) {
        int bits = Integer.SIZE - Integer.numberOfLeadingZeros(2 * destinations.size() - 1);
        this.first = destinations.getFirst();
        this.table = new int[1 << bits];
        this.shift = Integer.SIZE - bits;
        this.mixed = areOfOneSet(destinations) ? null : mixed(destinations);
        if (mixed == null) {
            for (MutableBlock destination : destinations) {
                add(destination);
            }
        }
    }

    boolean contains(BlockHandle block) {
        return mixed != null ? mixed.contains(block.id())
                : block.isOfSameSet(first) && table[place(block.index())] != 0;
    }

    private void add(MutableBlock destination) {
        int place = place(destination.index());
        if (table[place] != 0) {
            throw twice(destination.id());
        }
        table[place] = destination.index() + 1;
    }

    /** Where the index is, or where it would go. */
    private int place(int index) {
        int place = (index * 0x9E37_79B1) >>> shift;
        while (table[place] != 0 && table[place] != index + 1) {
            place = (place + 1) & (table.length - 1);
        }
        return place;
    }

    private boolean areOfOneSet(List<MutableBlock> destinations) {
        boolean oneSet = true;
        for (MutableBlock destination : destinations) {
            oneSet &= destination.isOfSameSet(first);
        }
        return oneSet;
    }

    private static Set<BlockId> mixed(List<MutableBlock> destinations) {
        Set<BlockId> ids = HashSet.newHashSet(destinations.size());
        for (MutableBlock destination : destinations) {
            if (!ids.add(destination.id())) {
                throw twice(destination.id());
            }
        }
        return ids;
    }

    private static TransferException twice(BlockId id) {
        return new TransferException(TransferException.Kind.INVALID_REQUEST,
                "Block " + id + " is named twice as a destination; name every destination once");
    }
}
