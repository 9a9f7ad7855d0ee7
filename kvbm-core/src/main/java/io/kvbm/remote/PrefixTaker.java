package io.kvbm.remote;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.KvbmException;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferObserver;

/**
 * Takes the blocks of a sequence that this worker lacks from peers that have them: proposed by the index, read from the
 * peer's memory, and registered here as if they had been computed. Whatever goes wrong on the way is a miss of the blocks
 * that are left, and costs the sequence nothing else.
 */
public final class PrefixTaker {

    /** How many runs of blocks are taken for one sequence at most, each from one peer. */
    static final int MAX_RUNS = 4;

    private static final Logger log = LoggerFactory.getLogger(PrefixTaker.class);

    private final Peers peers;
    private final PeerIndex index;
    private final TransferObserver observer;
    private final LongAdder proposed = new LongAdder();
    private final LongAdder taken = new LongAdder();
    private final LongAdder refused = new LongAdder();
    private final LongAdder failed = new LongAdder();

    /** Takes from these peers what this index proposes. */
    public PrefixTaker(Peers peers, PeerIndex index, TransferObserver observer) {
        this.peers = peers;
        this.index = index;
        this.observer = observer.unharmful();
    }

    /**
     * Puts registered blocks that hold a sequence's blocks {@code from}, {@code from + 1}, … in the place of private ones,
     * as many as peers have. What the private blocks hold that are left is undefined afterwards.
     *
     * @param pool whose blocks they are
     * @param blocks a private block for each that is wanted; the first ones are replaced
     * @param control whether to go on; where not, what was taken so far counts
     * @return the number of blocks that were replaced
     */
    public int take(BlockPool pool, IdentityChain chain, int from, List<BlockHandle> blocks, TransferControl control) {
        int done = 0;
        PeerRun run = new PeerRun(0);
        for (int n = 0; n < MAX_RUNS && done < blocks.size() && control.mayGoOn(); n++) {
            int some = attempt(pool, chain, from + done, run, blocks.subList(done, blocks.size()), control);
            if (some == 0) {
                break;
            }
            taken.add(some);
            done += some;
        }
        return done;
    }

    /**
     * Takes a sequence's blocks {@code from}, {@code from + 1}, … below {@code to} into a pool, where they are registered
     * and nobody holds them, as many as peers have and as there is room for.
     *
     * @param control whether to go on; where not, what was taken so far counts
     * @return the number of blocks that were taken
     */
    public int takeInto(BlockPool pool, IdentityChain chain, int from, int to, TransferControl control) {
        int at = from;
        for (int n = 0; n < MAX_RUNS && at < to && control.mayGoOn(); n++) {
            int room = Math.min(index.prefix(chain, at, to, new PeerRun(0)), pool.availableBlocks());
            int some = room == 0 ? 0 : takeRoom(pool, chain, at, room, control);
            if (some == 0) {
                break;
            }
            at += some;
        }
        return at - from;
    }

    private int takeRoom(BlockPool pool, IdentityChain chain, int from, int n, TransferControl control) {
        List<BlockHandle> own = new ArrayList<>(n);
        try {
            own.addAll(pool.allocateBlocks(n));
            return take(pool, chain, from, own, control);
        } catch (KvbmException e) {
            log.debug("{} blocks from block {} on are not taken: {}", n, from, e.getMessage()); // others were faster
            return 0;
        } finally {
            pool.closeAll(own);
        }
    }

    private int attempt(BlockPool pool, IdentityChain chain, int from, PeerRun run, List<BlockHandle> blocks,
            TransferControl control) {
        try {
            int length = index.prefix(chain, from, from + blocks.size(), run);
            proposed.add(length);
            return length == 0 ? 0 : takeObserved(pool, chain, from, run, blocks.subList(0, length), control);
        } catch (KvbmException e) {
            refused.add(run.length());
            log.debug("{} are not taken: {}", run, e.getMessage());
        } catch (RuntimeException e) {
            failed.add(run.length());
            log.warn("{} could not be taken and will be computed", run, e);
        }
        return 0;
    }

    private int takeObserved(BlockPool pool, IdentityChain chain, int from, PeerRun run, List<BlockHandle> blocks,
            TransferControl control) {
        TransferObserver.Copy copy = observer.begins(
                new TransferObserver.Way("take", "p2p", pool.blocks().level().tier()), blocks.size());
        int some;
        try {
            some = takeRun(pool, chain, from, run, blocks, control);
        } catch (RuntimeException | Error e) {
            copy.ended(e);
            throw e;
        }
        copy.ended(null);
        return some;
    }

    private int takeRun(BlockPool pool, IdentityChain chain, int from, PeerRun run, List<BlockHandle> blocks,
            TransferControl control) {
        Optional<Peer> holder = peers.peer(run.holder().workerId())
                .filter(peer -> peer.epoch() == run.holder().epoch() && peer.hits() && peer.isReadable());
        if (holder.isEmpty()) {
            return 0;
        }
        int n = Math.clamp(holder.get().room(), 1, blocks.size()); // the rest of a long run is the next one
        return holder.get().isMapped()
                ? fill(pool, chain, from, holder.get(), run, mutable(blocks.subList(0, n)), blocks, control)
                : fillSpare(pool, chain, from, holder.get(), run, blocks.subList(0, n), control);
    }

    private static List<MutableBlock> mutable(List<BlockHandle> blocks) {
        return blocks.stream().map(MutableBlock.class::cast).toList();
    }

    /**
     * Fills other blocks than the private ones: a transport that is given up may write later, which must not be into what
     * the sequence computes meanwhile.
     */
    private static int fillSpare(BlockPool pool, IdentityChain chain, int from, Peer holder, PeerRun run,
            List<BlockHandle> blocks, TransferControl control) {
        int n = Math.min(blocks.size(), pool.availableBlocks());
        if (n == 0) {
            return 0;
        }
        List<BlockHandle> before = List.copyOf(blocks);
        try (BlockList<MutableBlock> spare = pool.allocateBlocks(n)) {
            int good = fill(pool, chain, from, holder, run, spare, blocks, control);
            before.subList(0, good).forEach(BlockHandle::close);
            return good;
        }
    }

    /** Fills blocks of ours, and puts them in the place of private ones as far as they hold what is wanted. */
    private static int fill(BlockPool pool, IdentityChain chain, int from, Peer holder, PeerRun run,
            List<MutableBlock> own, List<BlockHandle> blocks, TransferControl control) {
        int good = holder.read(run.holder().blockSet(), wanted(run, own.size(), chain, from), own, control).blocks();
        BlockList<ImmutableBlock> registered = pool.registerBlocks(own.subList(0, good), chain, from);
        for (int i = 0; i < good; i++) {
            blocks.set(i, registered.get(i));
        }
        return good;
    }

    private static Wanted wanted(PeerRun run, int n, IdentityChain chain, int from) {
        int[] slots = new int[run.length()];
        long[] generations = new long[run.length()];
        run.copySlots(slots);
        run.copyGenerations(generations);
        return new Wanted.Sequence(slots, generations, n, chain, from);
    }

    /** What was proposed and what became of it. */
    public TakeStats stats() {
        return new TakeStats(proposed.sum(), taken.sum(), refused.sum(), failed.sum());
    }
}
