package io.kvbm.nixl;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.PinList;
import io.kvbm.error.ClosedException;
import io.kvbm.error.NixlException;
import io.kvbm.error.RemoteException;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.TransferControl;

/**
 * The memory of one worker through NIXL. The ranges of all its blocks are prepared once, and requests name them by index.
 * Where the connection breaks the worker may be there all the same, so the next transfer connects anew.
 */
final class NixlAccess implements RemoteAccess {

    /** One block in so many may be abandoned. */
    private static final int MOST_ABANDONED = 20;

    private final NixlTransport transport;
    private final NixlBackend backend;
    private final String agent;
    private final byte[] metadata;
    private final TransferPoller poller;
    private final Map<BlockRanges, PreparedBlocks> theirs = new HashMap<>();
    private RemoteAgent remote;
    private int underWay;
    private boolean closed;

    /** Loads the metadata of a worker's agent of this name. */
    NixlAccess(NixlTransport transport, NixlBackend backend, String agent, byte[] metadata, TransferPoller poller) {
        this.transport = transport;
        this.backend = backend;
        this.agent = agent;
        this.metadata = metadata.clone();
        this.poller = poller;
        this.remote = transport.acquire(agent, metadata);
    }

    @Override
    public void read(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks,
            TransferControl control) {
        requireRoom(to.layout().numBlocks());
        begin();
        TransferPoller.Flight flight;
        try {
            flight = start(from, slots, to, blocks);
        } catch (NixlException e) {
            end();
            throw unreached(e);
        } catch (RuntimeException | Error e) {
            end();
            throw e;
        }
        try {
            flight.await(control);
        } catch (NixlException e) {
            throw unreached(e);
        }
    }

    /** Blocks that may still be written are lost to the pool for a time that nobody knows. */
    private void requireRoom(int blocks) {
        int most = Math.max(1, blocks / MOST_ABANDONED);
        int abandoned = poller.abandoned();
        if (abandoned >= most) {
            throw new RemoteException(RemoteException.Kind.BUSY, abandoned + " blocks may still be written by"
                    + " transfers that nobody waits for any more, of at most " + most
                    + "; nothing is read by NIXL until they have ended");
        }
    }

    private synchronized void begin() {
        if (closed) {
            throw new ClosedException("Worker " + remote.name() + " is let go; ask another one");
        }
        underWay++;
    }

    private synchronized void end() {
        underWay--;
        if (closed && underWay == 0) {
            transport.release(remote);
        }
    }

    private TransferPoller.Flight start(BlockRanges from, int[] slots, BlockRanges to,
            List<? extends BlockHandle> blocks) {
        PinList pins = PinList.of(blocks);
        try {
            return poller.start(request(from, slots, to, blocks), pins, this::end);
        } catch (RuntimeException | Error e) {
            pins.close();
            throw e;
        }
    }

    private NixlRequest request(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks) {
        boolean whole = from.layout().blockContiguous() && to.layout().blockContiguous();
        PreparedBlocks source = theirs(from);
        PreparedBlocks target = transport.prepared(to);
        int[] targets = blocks.stream().mapToInt(BlockHandle::index).toArray();
        return backend.request(NixlOperation.GET, target.list(whole), target.indices(targets, whole),
                source.list(whole), source.indices(slots, whole));
    }

    private synchronized PreparedBlocks theirs(BlockRanges blocks) {
        if (!remote.isLoaded()) {
            theirs.clear(); // they went with the connection
            RemoteAgent anew = transport.acquire(agent, metadata);
            transport.release(remote);
            remote = anew;
        }
        RemoteAgent connected = remote;
        return theirs.computeIfAbsent(blocks,
                ranges -> new PreparedBlocks(ranges, pieces -> backend.prepare(connected, pieces)));
    }

    private RemoteException unreached(NixlException e) {
        return new RemoteException(RemoteException.Kind.TRANSPORT, "Worker " + remote.name() + " is not reached: "
                + e.getMessage(), e);
    }

    /** Closing it would cancel what is under way, of which bytes could arrive all the same: that is waited for. */
    @Override
    public synchronized void close() {
        if (!closed && underWay == 0) {
            transport.release(remote);
        }
        closed = true;
    }
}
