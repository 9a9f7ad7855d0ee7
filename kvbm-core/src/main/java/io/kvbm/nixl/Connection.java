package io.kvbm.nixl;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

import io.kvbm.transfer.BlockRanges;

/**
 * Another agent as one initiator reaches it, with the lists and requests that were made for it. They end with it, where
 * it breaks or the initiator is given up; then there is another one. Used by the initiator's thread.
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

    /** A request, and the connection that it goes back to. */
    record Prepared(Connection connection, PooledRequest pooled) {

        void giveBack() {
            connection.giveBack(pooled);
        }
    }

    boolean isOpen() {
        return remote.isLoaded();
    }

    /** A request that moves blocks: one that was posted before, where there is one that is not under way. */
    Prepared prepare(NixlOperation operation, BlockRanges their, int[] slots, BlockRanges our, int[] ourSlots) {
        boolean whole = their.layout().blockContiguous() && our.layout().blockContiguous();
        PreparedBlocks remotes = theirs.computeIfAbsent(their, ranges -> new PreparedBlocks(ranges,
                pieces -> initiator.backend().prepare(remote, pieces)));
        PreparedBlocks locals = initiator.prepared(our);
        PooledRequest.Move move = new PooledRequest.Move(operation, locals.list(whole),
                locals.indices(ourSlots, whole), remotes.list(whole), remotes.indices(slots, whole));
        PooledRequest again = idle.remove(move);
        return new Prepared(this,
                again != null ? again : new PooledRequest(move, move.request(initiator.backend())));
    }

    /** Keeps a request that has ended well, and gives the one back that was not used for longest. */
    private void giveBack(PooledRequest done) {
        PooledRequest same = idle.putIfAbsent(done.move(), done);
        PooledRequest other = same != null ? done
                : idle.size() > MOST_IDLE ? idle.pollFirstEntry().getValue() : null;
        if (other != null) {
            other.request().cancel();
        }
    }

    /** Has the initiator's thread {@link #release} it. */
    void releaseSoon() {
        initiator.execute(this::release);
    }

    /** Lets the other agent go, with all that was made for it. */
    void release() {
        idle.values().forEach(pooled -> pooled.request().cancel());
        idle.clear();
        theirs.values().forEach(PreparedBlocks::close);
        theirs.clear();
        initiator.release(remote);
    }
}
