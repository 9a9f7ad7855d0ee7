package io.kvbm.remote;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.PinList;
import io.kvbm.error.Decision;
import io.kvbm.error.KvbmException;
import io.kvbm.error.PoolException;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;

/**
 * Takes the blocks of a sequence that this worker lacks from peers that have them: proposed by the index, read from the
 * peer's memory, and registered here as if they had been computed. Whatever goes wrong on the way is a miss of the blocks
 * that are left.
 */
public final class PrefixTaker {

    /** How many runs of blocks are taken for one sequence at most, each from one peer. */
    static final int MAX_RUNS = 4;

    private final Peers peers;
    private final PeerIndex index;
    private final LongAdder proposed = new LongAdder();
    private final LongAdder taken = new LongAdder();
    private final LongAdder noRoom = new LongAdder();
    private final LongAdder refused = new LongAdder();

    /** Takes from these peers what this index proposes. */
    public PrefixTaker(Peers peers, PeerIndex index) {
        this.peers = peers;
        this.index = index;
    }

    /**
     * Takes as many of a sequence's blocks {@code from}, {@code from + 1}, … below {@code to} as peers have.
     *
     * @param pool where they are registered
     * @param control whether to go on; where not, what was taken so far is returned
     * @return holds on the blocks from {@code from} on, in order; empty where nobody has the first one
     */
    public List<ImmutableBlock> take(BlockPool pool, IdentityChain chain, int from, int to, TransferControl control) {
        List<ImmutableBlock> blocks = new ArrayList<>();
        PeerRun run = new PeerRun(Math.min(to - from, 256));
        for (int n = 0; n < MAX_RUNS && from + blocks.size() < to; n++) {
            int before = blocks.size();
            if (index.prefix(chain, from + before, to, run) == 0) {
                break;
            }
            proposed.add(run.length());
            try {
                blocks.addAll(takeRun(pool, chain, from + before, run, control));
            } catch (KvbmException e) {
                if (e.decision() == Decision.FATAL) {
                    pool.closeAll(blocks);
                    throw e;
                }
                refused.add(run.length());
            } catch (RuntimeException | Error e) {
                pool.closeAll(blocks);
                throw e;
            }
            if (blocks.size() == before) {
                break;
            }
        }
        taken.add(blocks.size());
        return blocks;
    }

    private List<ImmutableBlock> takeRun(BlockPool pool, IdentityChain chain, int from, PeerRun run,
            TransferControl control) {
        Optional<Peer> holder = peers.peer(run.holder().workerId())
                .filter(peer -> peer.epoch() == run.holder().epoch() && peer.hits() && peer.isMapped());
        if (holder.isEmpty()) {
            return List.of();
        }
        int n = Math.min(run.length(), pool.availableBlocks());
        noRoom.add(run.length() - n);
        try (BlockList<MutableBlock> own = pool.allocateBlocks(n)) {
            int[] slots = new int[run.length()];
            long[] generations = new long[run.length()];
            run.copySlots(slots);
            run.copyGenerations(generations);
            ReadResult result;
            try (PinList destinations = PinList.of(own)) {
                result = holder.get()
                        .read(run.holder().blockSet(), new Wanted.Sequence(slots, generations, n, chain, from),
                                destinations, control);
            }
            return pool.registerBlocks(own.subList(0, result.blocks()), chain, from);
        } catch (PoolException e) {
            noRoom.add(n);
            throw e;
        }
    }

    /** What was proposed and what became of it. */
    public TakeStats stats() {
        return new TakeStats(proposed.sum(), taken.sum(), noRoom.sum(), refused.sum());
    }
}
