package io.kvbm.remote;

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
        return take(pool, chain, from, from + blocks.size(), (holder, run, at, n) -> {
            List<BlockHandle> own = blocks.subList(at - from, at - from + n);
            return holder.isMapped()
                    ? fill(pool, chain, at, holder, run, mutable(own), own, control)
                    : fillSpare(pool, chain, at, holder, run, own, control);
        }, control);
    }

    /**
     * Takes a sequence's blocks {@code from}, {@code from + 1}, … below {@code to} into a pool, where they are registered
     * and nobody holds them, as many as peers have and as there is room for.
     *
     * @param control whether to go on; where not, what was taken so far counts
     * @return the number of blocks that were taken
     */
    public int takeInto(BlockPool pool, IdentityChain chain, int from, int to, TransferControl control) {
        int end = Math.min(to, from + pool.availableBlocks()); // what has been taken is not to make room for the rest
        return take(pool, chain, from, end,
                (holder, run, at, n) -> fillRoom(pool, chain, at, holder, run, n, control), control);
    }

    /** Puts what a holder has of n blocks of a sequence, from {@code at} on, where it is wanted; says how many came. */
    @FunctionalInterface
    private interface Filling {

        int fill(Peer holder, PeerRun run, int at, int n);
    }

    private int take(BlockPool pool, IdentityChain chain, int from, int to, Filling filling, TransferControl control) {
        int at = from;
        PeerRun run = new PeerRun(0);
        for (int n = 0; n < MAX_RUNS && at < to && control.mayGoOn(); n++) {
            int some = attempt(pool, chain, at, to, run, filling);
            if (some == 0) {
                break;
            }
            taken.add(some);
            at += some;
        }
        return at - from;
    }

    private int attempt(BlockPool pool, IdentityChain chain, int at, int to, PeerRun run, Filling filling) {
        try {
            int length = index.prefix(chain, at, to, run);
            proposed.add(length);
            return length == 0 ? 0 : takeRun(pool, at, run, filling);
        } catch (KvbmException e) {
            refused.add(run.length());
            log.debug("{} are not taken: {}", run, e.getMessage());
        } catch (RuntimeException e) {
            failed.add(run.length());
            log.warn("{} could not be taken and will be computed", run, e);
        }
        return 0;
    }

    private int takeRun(BlockPool pool, int at, PeerRun run, Filling filling) {
        Optional<Peer> holder = peers.peer(run.holder().workerId())
                .filter(peer -> peer.epoch() == run.holder().epoch() && peer.hits() && peer.isReadable());
        if (holder.isPresent() && !(holder.get().mayBeTakenFrom() && holder.get().room() > 0)) {
            refused.add(run.length()); // before anything is dropped for it
            return 0;
        }
        int n = holder.map(peer -> Math.clamp(peer.room(), 1, run.length())) // the rest of a long run is the next one
                .orElse(run.length());
        TransferObserver.Copy copy = observer.begins(
                new TransferObserver.Way("take", "p2p", pool.blocks().level().tier()), n);
        int some;
        try {
            some = holder.isEmpty() ? 0 : filling.fill(holder.get(), run, at, n);
        } catch (RuntimeException | Error e) {
            copy.ended(0, e);
            throw e;
        }
        copy.ended(some, null);
        return some;
    }

    private static List<MutableBlock> mutable(List<BlockHandle> blocks) {
        return blocks.stream().map(MutableBlock.class::cast).toList();
    }

    /**
     * Fills other blocks than the private ones: a transport that is given up may write later, which must not be into what
     * the sequence computes meanwhile.
     */
    private static int fillSpare(BlockPool pool, IdentityChain chain, int at, Peer holder, PeerRun run,
            List<BlockHandle> blocks, TransferControl control) {
        int n = Math.min(blocks.size(), pool.availableBlocks());
        if (n == 0) {
            return 0;
        }
        List<BlockHandle> before = List.copyOf(blocks);
        try (BlockList<MutableBlock> spare = pool.allocateBlocks(n)) {
            int good = fill(pool, chain, at, holder, run, spare, blocks, control);
            before.subList(0, good).forEach(BlockHandle::close);
            return good;
        }
    }

    /**
     * Fills blocks that nobody has yet, for which others are dropped. The holder's answer is not awaited first: it would
     * hold its leased blocks while room is made.
     */
    private static int fillRoom(BlockPool pool, IdentityChain chain, int at, Peer holder, PeerRun run, int most,
            TransferControl control) {
        int n = Math.min(most, pool.availableBlocks());
        if (n == 0) {
            return 0;
        }
        try (BlockList<MutableBlock> room = pool.allocateBlocks(n);
                BlockList<ImmutableBlock> registered = read(pool, chain, at, holder, run, room, control)) {
            return registered.size();
        }
    }

    /** Fills blocks of ours, and puts them in the place of private ones as far as they hold what is wanted. */
    private static int fill(BlockPool pool, IdentityChain chain, int at, Peer holder, PeerRun run,
            List<MutableBlock> own, List<BlockHandle> blocks, TransferControl control) {
        BlockList<ImmutableBlock> registered = read(pool, chain, at, holder, run, own, control);
        for (int i = 0; i < registered.size(); i++) {
            blocks.set(i, registered.get(i));
        }
        return registered.size();
    }

    private static BlockList<ImmutableBlock> read(BlockPool pool, IdentityChain chain, int at, Peer holder, PeerRun run,
            List<MutableBlock> own, TransferControl control) {
        int good = holder.read(run.holder().blockSet(), wanted(run, own.size(), chain, at), own, control).blocks();
        return pool.registerBlocks(own.subList(0, good), chain, at);
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
