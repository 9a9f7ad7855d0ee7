package io.kvbm.nixl;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.PinList;
import io.kvbm.error.ClosedException;
import io.kvbm.error.KvbmException;
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

    private static final Duration CONNECT = Duration.ofSeconds(2);

    private final Initiators initiators;
    private final long workerId;
    private final long epoch;
    private final byte[] metadata;
    private final Map<Initiator, Connection> connections = new HashMap<>();
    private int underWay;
    private boolean closed;

    /** Loads the metadata of a worker. */
    NixlAccess(Initiators initiators, long workerId, long epoch, byte[] metadata) {
        this.initiators = initiators;
        this.workerId = workerId;
        this.epoch = epoch;
        this.metadata = metadata.clone();
        try {
            connect(initiators.current());
        } catch (RuntimeException e) {
            close(); // what is loaded later is let go
            throw e;
        }
    }

    private void connect(Initiator initiator) {
        CompletableFuture<Connection> connected = new CompletableFuture<>();
        initiator.execute(() -> {
            try {
                connected.complete(connection(initiator));
            } catch (RuntimeException e) {
                connected.completeExceptionally(e);
            }
            if (isClosed()) {
                release();
            }
        });
        try {
            var _ = connected.get(CONNECT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof KvbmException failure ? failure : new IllegalStateException(e.getCause());
        } catch (TimeoutException e) {
            throw new RemoteException(RemoteException.Kind.BUSY, initiator + " is busy and has not loaded worker "
                    + Long.toUnsignedString(workerId) + " in " + CONNECT.toSeconds() + " s; import it again", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RemoteException(RemoteException.Kind.BUSY, "Interrupted while worker "
                    + Long.toUnsignedString(workerId) + " was loaded; import it again", e);
        }
    }

    /** What was made for the last one went with it. Called in the thread of the initiator. */
    private Connection connection(Initiator initiator) {
        Connection last;
        synchronized (connections) {
            connections.keySet().removeIf(Initiator::isClosed);
            last = connections.get(initiator);
        }
        if (last != null && last.isOpen()) {
            return last;
        }
        Connection next = new Connection(initiator, initiator.acquire(workerId, epoch, metadata));
        if (last != null) {
            last.release();
        }
        synchronized (connections) {
            connections.put(initiator, next);
        }
        return next;
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
        Initiator initiator = initiators.current();
        PinList pins = PinList.of(blocks);
        try {
            begin(initiator);
        } catch (ClosedException e) {
            pins.close();
            throw e;
        }
        int[] theirSlots = slots.clone();
        int[] ourSlots = blocks.stream().mapToInt(BlockHandle::index).toArray();
        return new Waiting(initiator, pins,
                () -> connection(initiator).prepare(operation, theirs, theirSlots, ours, ourSlots));
    }

    private synchronized boolean isClosed() {
        return closed;
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

    private synchronized void begin(Initiator initiator) {
        if (closed) {
            throw new ClosedException("Worker " + Long.toUnsignedString(workerId) + " is let go; ask another one");
        }
        underWay++;
        initiator.begin();
    }

    private void end(Initiator initiator) {
        initiator.end();
        synchronized (this) {
            underWay--;
            if (!closed || underWay > 0) {
                return;
            }
        }
        release();
    }

    private void release() {
        List<Connection> last;
        synchronized (connections) {
            last = List.copyOf(connections.values());
            connections.clear();
        }
        last.forEach(Connection::releaseSoon);
    }

    /** Closing it would cancel what is under way, of which bytes could arrive all the same: that is waited for. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            if (underWay > 0) {
                return;
            }
        }
        release();
    }

    /** A transfer that was not begun. */
    private final class Waiting implements Move {

        private final Initiator initiator;
        private final PinList pins;
        private final Supplier<Connection.Prepared> prepare;
        private @Nullable Flight flight;
        private boolean isGivenBack;

        Waiting(Initiator initiator, PinList pins, Supplier<Connection.Prepared> prepare) {
            this.initiator = initiator;
            this.pins = pins;
            this.prepare = prepare;
        }

        @Override
        public void start(byte[] told, Runnable unmoved) {
            Flight begun = new Flight(initiator, prepare, pins, told, unmoved, () -> end(initiator));
            flight = begun;
            initiator.start(begun);
        }

        @Override
        public void await(TransferControl control) {
            try {
                Objects.requireNonNull(flight).await(control);
            } catch (NixlException e) {
                throw new RemoteException(RemoteException.Kind.TRANSPORT, "Worker " + Long.toUnsignedString(workerId)
                        + " is not reached: " + e.getMessage(), e);
            }
        }

        @Override
        public void close() {
            if (flight != null) {
                flight.giveUp();
            } else if (!isGivenBack) {
                isGivenBack = true;
                pins.close();
                end(initiator);
            }
        }
    }
}
