package io.kvbm.transfer;

import java.util.List;

import io.kvbm.block.BlockHandle;

/** The memory of one other worker, as a {@link RemoteTransport} reaches it. Safe for use by several threads. */
public interface RemoteAccess extends AutoCloseable {

    /**
     * Reads blocks, pair by pair, and returns when the last byte has arrived. Where it throws it is not known which bytes
     * have arrived or will; the blocks stay pinned until that is over.
     *
     * @param from where the blocks of a set of the other worker lie
     * @param slots which of them
     * @param to where the blocks of this worker lie that are filled, of the same shape
     * @param blocks these blocks, one for each slot
     * @throws io.kvbm.error.TransferException {@code DEADLINE_EXCEEDED}, {@code CANCELLED}
     * @throws io.kvbm.error.RemoteException {@code TRANSPORT} where the other worker is not reached
     */
    void read(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks,
            TransferControl control);

    /** Reaches it no more. Further calls do nothing. */
    @Override
    void close();
}
