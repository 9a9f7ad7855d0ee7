package io.kvbm.nixl;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.PinList;
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

    private final NixlBackend backend;
    private final byte[] metadata;
    private final TransferPoller poller;
    private final Function<BlockRanges, PreparedBlocks> ours;
    private final Map<BlockRanges, PreparedBlocks> theirs = new HashMap<>();
    private RemoteAgent remote;

    /**
     * Loads a worker's metadata.
     *
     * @param ours the blocks of this worker, prepared
     */
    NixlAccess(NixlBackend backend, byte[] metadata, TransferPoller poller,
            Function<BlockRanges, PreparedBlocks> ours) {
        this.backend = backend;
        this.metadata = metadata.clone();
        this.poller = poller;
        this.ours = ours;
        this.remote = backend.agent().load(metadata);
    }

    @Override
    public void read(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks,
            TransferControl control) {
        PinList pins = PinList.of(blocks);
        TransferPoller.Flight flight;
        try {
            flight = poller.start(request(from, slots, to, blocks), pins);
        } catch (NixlException e) {
            pins.close();
            throw unreached(e);
        } catch (RuntimeException | Error e) {
            pins.close();
            throw e;
        }
        try {
            flight.await(control);
        } catch (NixlException e) {
            throw unreached(e);
        }
    }

    private NixlRequest request(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks) {
        boolean whole = from.layout().blockContiguous() && to.layout().blockContiguous();
        PreparedBlocks source = theirs(from);
        PreparedBlocks target = ours.apply(to);
        int[] targets = blocks.stream().mapToInt(BlockHandle::index).toArray();
        return backend.request(NixlOperation.GET, target.list(whole), target.indices(targets, whole),
                source.list(whole), source.indices(slots, whole));
    }

    private synchronized PreparedBlocks theirs(BlockRanges blocks) {
        if (!remote.isLoaded()) {
            theirs.clear(); // they went with the connection
            remote = backend.agent().load(metadata);
        }
        RemoteAgent connected = remote;
        return theirs.computeIfAbsent(blocks,
                ranges -> new PreparedBlocks(ranges, pieces -> backend.prepare(connected, pieces)));
    }

    private RemoteException unreached(NixlException e) {
        return new RemoteException(RemoteException.Kind.TRANSPORT, "Worker " + remote.name() + " is not reached: "
                + e.getMessage(), e);
    }

    @Override
    public synchronized void close() {
        remote.close();
    }
}
