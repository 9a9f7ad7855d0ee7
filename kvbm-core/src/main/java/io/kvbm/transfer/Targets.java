package io.kvbm.transfer;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockId;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.TransferException;

/** The destinations of a request, each named once. Those of one block set, as nearly always, are kept as numbers. */
final class Targets {

    private final MutableBlock first;
    private final int[] indices;
    private final @Nullable Set<BlockId> mixed;

    /** Refuses a block that is named twice: {@link TransferException} {@code INVALID_REQUEST}. */
    Targets(List<MutableBlock> destinations) {
        this.first = destinations.getFirst();
        this.indices = new int[destinations.size()];
        boolean oneSet = true;
        for (int i = 0; i < indices.length; i++) {
            MutableBlock destination = destinations.get(i);
            indices[i] = destination.index();
            oneSet &= destination.isOfSameSet(first);
        }
        this.mixed = oneSet ? null : mixed(destinations);
        Arrays.sort(indices);
        for (int i = 1; i < indices.length && oneSet; i++) {
            if (indices[i] == indices[i - 1]) {
                throw twice(new BlockId(first.id().workerId(), first.id().blockSet(), indices[i]));
            }
        }
    }

    boolean contains(BlockHandle block) {
        return mixed != null ? mixed.contains(block.id())
                : block.isOfSameSet(first) && Arrays.binarySearch(indices, block.index()) >= 0;
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
