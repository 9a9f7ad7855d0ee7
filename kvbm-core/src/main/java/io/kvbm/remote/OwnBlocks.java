package io.kvbm.remote;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

import io.kvbm.block.BlockHandle;
import io.kvbm.error.TransferException;
import io.kvbm.pool.BlockPool;
import io.kvbm.transfer.BlockRanges;

/** Where the blocks of this worker's pools lie, for a transport. */
final class OwnBlocks {

    private final Map<BlockPool, BlockRanges> ranges = new HashMap<>();

    OwnBlocks(List<BlockPool> pools) {
        pools.forEach(pool -> ranges.put(pool, BlockRanges.of(pool.blocks())));
    }

    /**
     * Where the blocks lie of the pool that all of these are of.
     *
     * @throws TransferException {@code INVALID_REQUEST} where they are of several pools or of none of these
     */
    BlockRanges of(List<? extends BlockHandle> blocks) {
        for (Map.Entry<BlockPool, BlockRanges> own : ranges.entrySet()) {
            if (blocks.stream().allMatch(own.getKey()::isPoolOf)) {
                return own.getValue();
            }
        }
        throw new TransferException(TransferException.Kind.INVALID_REQUEST, "Block " + blocks.getFirst().id()
                + " and the other " + (blocks.size() - 1) + " are not all of one pool of this worker; make a request"
                + " for those of each");
    }
}
