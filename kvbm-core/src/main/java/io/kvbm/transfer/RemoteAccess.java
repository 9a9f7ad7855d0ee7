package io.kvbm.transfer;

import java.util.List;

import io.kvbm.block.BlockHandle;

/** The memory of one other worker, as a {@link RemoteTransport} reaches it. Safe for use by several threads. */
public interface RemoteAccess extends AutoCloseable {

    /**
     * Prepares to read blocks, pair by pair.
     *
     * @param from where the blocks of a set of the other worker lie
     * @param slots which of them
     * @param to where the blocks of this worker lie that are filled, of the same shape
     * @param blocks these blocks, one for each slot
     * @throws io.kvbm.error.RemoteException {@code TRANSPORT} where the other worker is not reached, {@code BUSY} where
     *         too many blocks may still be moved by earlier requests
     */
    Move read(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks);

    /**
     * Prepares to write blocks, pair by pair.
     *
     * @param to where the blocks of a set of the other worker lie that are written
     * @param slots which of them
     * @param from where the blocks of this worker lie, of the same shape
     * @param blocks these blocks, one for each slot
     * @throws io.kvbm.error.RemoteException as {@link #read}
     */
    Move write(BlockRanges to, int[] slots, BlockRanges from, List<? extends BlockHandle> blocks);

    /** What was prepared and not begun: nothing has been moved yet, and the blocks are pinned. */
    interface Move extends AutoCloseable {

        /**
         * Begins, and does not wait; called once.
         *
         * @param told what the other worker is told when everything is there, also after {@link #await} has thrown; empty
         *        for nothing
         * @param unmoved is run where it ends and no byte was moved nor will be, also after {@link #await} has thrown
         */
        void start(byte[] told, Runnable unmoved);

        /**
         * Returns when the last byte is there of what was started. Where it throws it may be in doubt which bytes were
         * moved or will be; the blocks stay pinned until that is over.
         *
         * @throws io.kvbm.error.TransferException {@code DEADLINE_EXCEEDED}, {@code CANCELLED}
         * @throws io.kvbm.error.RemoteException {@code TRANSPORT} where the other worker is not reached
         * @throws io.kvbm.error.ClosedException where it is reached no more
         */
        void await(TransferControl control);

        /** Gives it back where it was not started; waits no more for its end where it was. Further calls do nothing. */
        @Override
        void close();
    }

    /** Reaches it no more. Further calls do nothing. */
    @Override
    void close();
}
