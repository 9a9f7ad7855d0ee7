package io.kvbm.nixl;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.kvbm.block.BlockHandle;
import io.kvbm.transfer.BlockRanges;

/**
 * Another agent as one initiator reaches it, with the lists and requests that were made for it. They end with it, where
 * it breaks or the initiator is given up; then there is another one.
 */
final class Connection {

    /** The requests that wait to be posted again. One holds some ten KiB of NIXL's. */
    private static final int MOST_IDLE = 32;

    private final Initiator initiator;
    private final RemoteAgent remote;
    private final Map<BlockRanges, PreparedBlocks> theirs = new HashMap<>();
    private final LinkedHashMap<PooledRequest.Move, PooledRequest> idle = new LinkedHashMap<>();

    Connection(Initiator initiator, RemoteAgent remote) {
        this.initiator = initiator;
        this.remote = remote;
    }

    Initiator initiator() {
        return initiator;
    }

    boolean isOpen() {
        return remote.isLoaded();
    }

    /** A request that moves blocks: one that was posted before, where there is one that is not under way. */
    PooledRequest request(NixlOperation operation, BlockRanges their, int[] slots, BlockRanges our,
            List<? extends BlockHandle> blocks) {
        boolean whole = their.layout().blockContiguous() && our.layout().blockContiguous();
        PreparedBlocks source = theirs(their);
        PreparedBlocks target = initiator.prepared(our);
        int[] indices = blocks.stream().mapToInt(BlockHandle::index).toArray();
        PooledRequest.Move move = new PooledRequest.Move(operation, target.list(whole),
                target.indices(indices, whole), source.list(whole), source.indices(slots.clone(), whole));
        PooledRequest again;
        synchronized (this) {
            again = idle.remove(move);
        }
        return again != null ? again : new PooledRequest(move, move.request(initiator.backend()));
    }

    private synchronized PreparedBlocks theirs(BlockRanges blocks) {
        return theirs.computeIfAbsent(blocks, ranges -> new PreparedBlocks(ranges,
                pieces -> initiator.backend().prepare(remote, pieces)));
    }

    /** Keeps a request that has ended well, and gives the one back that was not used for longest. */
    void giveBack(PooledRequest done) {
        PooledRequest other;
        synchronized (this) {
            PooledRequest same = idle.putIfAbsent(done.move(), done);
            other = same != null ? done : idle.size() > MOST_IDLE ? idle.pollFirstEntry().getValue() : null;
        }
        if (other != null) {
            other.request().cancel();
        }
    }

    /** Lets the other agent go, with all that was made for it. */
    void release() {
        synchronized (this) {
            idle.values().forEach(pooled -> pooled.request().cancel());
            idle.clear();
        }
        initiator.release(remote);
    }
}
