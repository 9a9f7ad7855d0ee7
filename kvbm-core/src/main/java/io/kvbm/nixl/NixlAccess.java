package io.kvbm.nixl;

import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.PinList;
import io.kvbm.error.ClosedException;
import io.kvbm.error.NixlException;
import io.kvbm.error.RemoteException;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.TransferControl;

/**
 * The memory of one worker through NIXL. The ranges of all its blocks are prepared once, requests name them by index, and
 * one that moves the same as one before is posted again. Where the connection breaks the worker may be there all the
 * same, so the next transfer connects anew.
 */
final class NixlAccess implements RemoteAccess {

    /** One block in so many may be in doubt. */
    private static final int MOST_IN_DOUBT = 20;

    private final Initiators initiators;
    private final long workerId;
    private final long epoch;
    private final byte[] metadata;
    private final TransferPoller poller;
    private @Nullable Connection connection;
    private int underWay;
    private boolean closed;

    /** Loads the metadata of a worker. */
    NixlAccess(Initiators initiators, long workerId, long epoch, byte[] metadata, TransferPoller poller) {
        this.initiators = initiators;
        this.workerId = workerId;
        this.epoch = epoch;
        this.metadata = metadata.clone();
        this.poller = poller;
        connection();
    }

    @Override
    public Move read(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks) {
        return prepare(NixlOperation.GET, from, slots, to, blocks);
    }

    @Override
    public Move write(BlockRanges to, int[] slots, BlockRanges from, List<? extends BlockHandle> blocks) {
        return prepare(NixlOperation.PUT, to, slots, from, blocks);
    }

    private Move prepare(NixlOperation operation, BlockRanges theirs, int[] slots, BlockRanges ours,
            List<? extends BlockHandle> blocks) {
        requireRoom(ours.layout().numBlocks());
        PinList pins = PinList.of(blocks);
        try {
            return prepare(operation, theirs, slots, ours, blocks, pins);
        } catch (NixlException e) {
            pins.close();
            throw unreached(e);
        } catch (RuntimeException | Error e) {
            pins.close();
            throw e;
        }
    }

    private Move prepare(NixlOperation operation, BlockRanges theirs, int[] slots, BlockRanges ours,
            List<? extends BlockHandle> blocks, PinList pins) {
        Connection used = begin();
        try {
            return new Prepared(used, used.request(operation, theirs, slots, ours, blocks), pins);
        } catch (RuntimeException | Error e) {
            end();
            throw e;
        }
    }

    /** A request, and the pins on its blocks until it is posted. */
    private final class Prepared implements Move {

        private final Connection used;
        private final PooledRequest request;
        private final PinList pins;
        private boolean isPosted;

        Prepared(Connection used, PooledRequest request, PinList pins) {
            this.used = used;
            this.request = request;
            this.pins = pins;
        }

        @Override
        public void run(byte[] told, TransferControl control) {
            isPosted = true;
            try {
                poller.start(used, request, pins, told, NixlAccess.this::end).await(control);
            } catch (NixlException e) {
                throw unreached(e);
            }
        }

        @Override
        public void close() {
            if (!isPosted) {
                isPosted = true;
                used.giveBack(request);
                pins.close();
                end();
            }
        }
    }

    private RemoteException unreached(NixlException e) {
        return new RemoteException(RemoteException.Kind.TRANSPORT, "Worker " + Long.toUnsignedString(workerId)
                + " is not reached: " + e.getMessage(), e);
    }

    /** Blocks in doubt are lost to the pool for a time. */
    private void requireRoom(int blocks) {
        int most = Math.max(1, blocks / MOST_IN_DOUBT);
        int there = initiators.inDoubt();
        if (there >= most) {
            throw new RemoteException(RemoteException.Kind.BUSY, there + " blocks may still be moved by"
                    + " transfers that failed or that nobody waits for any more, of at most " + most
                    + "; nothing goes by NIXL until they have ended, which takes some seconds");
        }
    }

    private synchronized Connection begin() {
        if (closed) {
            throw new ClosedException("Worker " + Long.toUnsignedString(workerId) + " is let go; ask another one");
        }
        Connection used = connection();
        underWay++;
        return used;
    }

    private synchronized void end() {
        underWay--;
        if (closed && underWay == 0) {
            release();
        }
    }

    /** What was made for the last one went with it. */
    private synchronized Connection connection() {
        Connection last = connection;
        if (last != null && last.isOpen()) {
            return last;
        }
        Initiator initiator = initiators.current();
        Connection next = new Connection(initiator, initiator.acquire(workerId, epoch, metadata));
        release();
        connection = next;
        return next;
    }

    private void release() {
        if (connection != null) {
            connection.release();
        }
    }

    /** Closing it would cancel what is under way, of which bytes could arrive all the same: that is waited for. */
    @Override
    public synchronized void close() {
        if (!closed && underWay == 0) {
            release();
        }
        closed = true;
    }
}
