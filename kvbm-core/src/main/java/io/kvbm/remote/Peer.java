package io.kvbm.remote;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Predicate;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.Pin;
import io.kvbm.block.PinList;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferEvent;

/**
 * Another worker in one of its lives: what it exports, how far it can be relied on, and what runs with it. A worker that
 * was started anew is another peer. Safe for use by several threads.
 */
public final class Peer {

    /** Between two attempts to tell what could not be told. */
    private static final long TELL_AGAIN_NANOS = 1_000_000_000;

    private final Blockset blockset;
    private final String digest;
    private final boolean hits;
    private final PeerLimits limits;
    private final MonotonicClock clock;
    private final PeerBreaker breaker;
    private final @Nullable PeerMemory memory;
    private final @Nullable LeasedMemory leased;
    private final @Nullable PeerLink link;
    private final PeerCounters counters;

    private PeerState state = PeerState.LIVE;
    private int blocksInFlight;
    private boolean dropped;
    private long lingerUntil;
    private long tellAgain;

    Peer(Blockset blockset, String digest, boolean hits, @Nullable PeerMemory memory, @Nullable LeasedMemory leased,
            @Nullable PeerLink link, PeerLimits limits, MonotonicClock clock, PeerCounters total) {
        this.counters = new PeerCounters(total);
        this.blockset = blockset;
        this.digest = digest;
        this.hits = hits;
        this.memory = memory;
        this.leased = leased;
        this.link = link;
        this.limits = limits;
        this.clock = clock;
        this.breaker = new PeerBreaker(limits, clock);
        this.tellAgain = clock.nanoTime();
    }

    /** The worker's number, unsigned. */
    public long workerId() {
        return blockset.workerId();
    }

    /** When this life of the worker started; unsigned. */
    public long epoch() {
        return blockset.epoch();
    }

    /** What it exports. */
    public Blockset blockset() {
        return blockset;
    }

    /** The digest of the document in which it exports that, see {@link BlocksetCodec#digest}. */
    public String digest() {
        return digest;
    }

    /** Whether its content is of our model, so that what it holds can be a hit. */
    public boolean hits() {
        return hits;
    }

    /** Whether there is a way to ask it. */
    boolean isReached() {
        return link != null;
    }

    /** Whether this is the way by which it is asked. */
    boolean isReachedBy(PeerLink way) {
        return way.equals(link);
    }

    /** What has been read from it. */
    public PeerStats stats() {
        return counters.stats();
    }

    /** Whether it is on this host, so that its blocks are read without asking it. */
    public boolean isMapped() {
        return memory != null;
    }

    /** Whether its blocks can be read, in whichever way. */
    public boolean isReadable() {
        return memory != null || leased != null;
    }

    /** How far it can be relied on now. */
    public synchronized PeerState state() {
        return state;
    }

    /** Whether it is left alone because it has failed. */
    public synchronized boolean isPaused() {
        return breaker.isOpen();
    }

    /** Whether blocks could be taken from it now. */
    synchronized boolean mayBeTakenFrom() {
        return isReadable() && state == PeerState.LIVE && breaker.mayAttempt();
    }

    /** The number of blocks that could be moved beside those that are. */
    synchronized int room() {
        return limits.blocksInFlight() - blocksInFlight;
    }

    /** The number of blocks that are being moved from or to it. */
    public synchronized int blocksInFlight() {
        return blocksInFlight;
    }

    /**
     * Reads blocks of the peer, up to the first that is not what was wanted: out of its memory where that is mapped, by a
     * transport else.
     *
     * @throws RemoteException {@code TRANSPORT} where neither is there, and as {@link #begin}
     */
    ReadResult read(int set, Wanted wanted, List<? extends BlockHandle> into, TransferControl control) {
        LeasedMemory elsewhere = leased;
        if (memory != null || elsewhere == null) {
            try (PinList pins = PinList.of(into)) {
                return copy(set, wanted, pins, control);
            }
        }
        long bytesPerBlock = requireLevel(set).blockLayout().bytesPerBlock();
        return counted(wanted.size(), bytesPerBlock, () -> elsewhere.read(set, wanted, into, control));
    }

    /** Whether who refuses so is there and as it should be. */
    private static boolean isAnswer(RemoteException.Kind kind) {
        return switch (kind) {
            case BUSY, DRAINING, STALE_BLOCK, STALE_EPOCH, UNKNOWN_BLOCK_SET, NOT_MUTABLE -> true;
            default -> false;
        };
    }

    /**
     * Copies blocks out of the peer's memory, up to the first that is not what was wanted.
     *
     * @throws RemoteException {@code TRANSPORT} where the memory is not mapped, and as {@link #begin}
     */
    ReadResult copy(int set, Wanted wanted, List<Pin> into, TransferControl control) {
        MappedLevel level = level(set);
        return counted(wanted.size(), level.layout().bytesPerBlock(),
                () -> level.read(wanted, into, control::mayGoOn));
    }

    /**
     * Writes blocks that the peer has leased to this worker, by a transport.
     *
     * @throws RemoteException {@code TRANSPORT} where none reaches it, what it refuses, and as {@link #begin}
     */
    void write(PutRequest request, TransferControl control) {
        LeasedMemory elsewhere = Optional.ofNullable(leased).orElseThrow();
        var _ = attempt(request.local().size(), () -> {
            elsewhere.write(request.blockSet(), request.lease(), request.slots(), request.local(),
                    request.notification(), control);
            return request;
        }, _ -> true);
    }

    /** Whether its memory is reached by a transport, and by nothing else. */
    boolean isElsewhere() {
        return memory == null && leased != null;
    }

    private ReadResult counted(int blocks, long bytesPerBlock, Supplier<ReadResult> reading) {
        return attempt(blocks, () -> {
            TransferEvent event = TransferEvent.begun();
            int read = 0;
            boolean failed = true;
            try {
                ReadResult result = reading.get();
                counters.count(result, bytesPerBlock);
                read = result.blocks();
                failed = false;
                return result;
            } finally {
                event.ended(isMapped() ? "PEER_MEMORY" : "PEER_TRANSPORT", read, read * bytesPerBlock, failed);
            }
        }, result -> result.end() != ReadOutcome.CORRUPT && (isMapped() || result.end() != ReadOutcome.LATE));
    }

    /** Moves blocks, and has the breaker know whether the peer is there and as it should be. */
    private <R> R attempt(int blocks, Supplier<R> move, Predicate<R> isSound) {
        begin(blocks);
        boolean sound = false;
        try {
            R result = move.get();
            sound = isSound.test(result);
            return result;
        } catch (RemoteException e) {
            sound = isAnswer(e.kind());
            throw e;
        } catch (TransferException e) {
            sound = e.kind() == TransferException.Kind.CANCELLED; // by the caller
            throw e;
        } finally {
            end(blocks, sound);
        }
    }

    private MappedLevel level(int set) {
        return Optional.ofNullable(memory)
                .flatMap(mapped -> mapped.level(set))
                .orElseThrow(() -> new RemoteException(RemoteException.Kind.TRANSPORT, "Block set " + set
                        + " of " + this
                        + " is not on this host, or not shared; other hosts are reached by a transport"));
    }

    /**
     * Asks the peer for something that moves blocks, and refuses what it refuses.
     *
     * @throws RemoteException with the peer's own reason, {@code TRANSPORT} or {@code DEADLINE} where it did not answer,
     *         and as {@link #begin}
     */
    void order(PeerRequest request, int blocks) {
        PeerLink way = Optional.ofNullable(link)
                .orElseThrow(() -> new RemoteException(RemoteException.Kind.TRANSPORT, this
                        + " was imported without a way to ask it; import it together with a link"));
        begin(blocks);
        boolean answered = false;
        try {
            PeerAnswer answer = way.ask(request);
            answered = true;
            Refusal.requireDone(toString(), answer);
        } finally {
            end(blocks, answered);
        }
    }

    /**
     * Starts to move blocks from or to this peer. Every start is followed by one {@link #end}.
     *
     * @throws RemoteException {@code DRAINING} where it is leaving, {@code TRANSPORT} where it is paused after failures,
     *         {@code BUSY} where too many blocks are under way
     */
    synchronized void begin(int blocks) {
        if (state != PeerState.LIVE) {
            throw new RemoteException(RemoteException.Kind.DRAINING, this + " is " + state
                    + " and is asked for nothing new; compute the blocks or ask another worker");
        }
        if (blocks > limits.blocksInFlight() - blocksInFlight) {
            throw new RemoteException(RemoteException.Kind.BUSY, blocks + " blocks are to be moved from or to " + this
                    + ", where " + blocksInFlight + " of at most " + limits.blocksInFlight()
                    + " are under way; move fewer at once or wait");
        }
        if (!breaker.tryAttempt()) {
            throw new RemoteException(RemoteException.Kind.TRANSPORT, this
                    + " is left alone for a while after failures; compute the blocks or ask another worker");
        }
        blocksInFlight += blocks;
    }

    /** Ends what {@link #begin} has started. */
    void end(int blocks, boolean succeeded) {
        synchronized (this) {
            blocksInFlight -= blocks;
            if (succeeded) {
                breaker.succeeded();
            } else {
                breaker.failed();
            }
            if (!dropped || blocksInFlight > 0) {
                return;
            }
        }
        release();
    }

    /** It is listed and answers. */
    synchronized void returned() {
        if (state == PeerState.DRAINING || state == PeerState.LINGER) {
            state = state.to(PeerState.LIVE);
        }
    }

    /** It is leaving, or is listed no more. */
    synchronized void leave() {
        if (state == PeerState.LIVE) {
            state = state.to(PeerState.DRAINING);
        }
    }

    /**
     * Goes on to the next state where it is time.
     *
     * @return whether the peer is gone now
     */
    boolean advance() {
        if (leased != null && isTimeToTell()) {
            leased.advance();
        }
        synchronized (this) {
            if (state == PeerState.DRAINING && blocksInFlight == 0) {
                state = state.to(PeerState.LINGER);
                lingerUntil = clock.nanoTime() + limits.linger().toNanos();
            }
            if (state != PeerState.LINGER || clock.nanoTime() - lingerUntil < 0) {
                return state == PeerState.GONE;
            }
        }
        release();
        return true;
    }

    private synchronized boolean isTimeToTell() {
        if (clock.nanoTime() - tellAgain < 0) {
            return false;
        }
        tellAgain = clock.nanoTime() + TELL_AGAIN_NANOS;
        return true;
    }

    /** Lets everything go as soon as nothing runs any more, which may be now. */
    void drop() {
        synchronized (this) {
            leave();
            dropped = true;
            if (blocksInFlight > 0) {
                return;
            }
        }
        release();
    }

    /**
     * Lets everything go; what is being read from the memory ends first. Unmapping much memory takes its time, in which
     * nobody is to wait for this peer's lock.
     */
    void release() {
        synchronized (this) {
            if (state == PeerState.GONE) {
                return;
            }
            state = state.to(PeerState.GONE);
        }
        if (memory != null) {
            memory.close();
        }
        if (leased != null) {
            leased.close();
        }
    }

    /** The block set of this number; {@link RemoteException} {@code UNKNOWN_BLOCK_SET} where it exports none. */
    ExportedLevel requireLevel(int set) {
        return blockset.level(set)
                .orElseThrow(() -> new RemoteException(RemoteException.Kind.UNKNOWN_BLOCK_SET,
                        "Block set " + set + " is named of " + this + ", which does not export it"));
    }

    /** Refuses slots that the block set does not have. */
    void requireSlots(int set, int[] slots) {
        ExportedLevel level = requireLevel(set);
        for (int slot : slots) {
            requireSlot(level, slot);
        }
    }

    /** Refuses a slot that the block set does not have. */
    void requireSlot(ExportedLevel level, int slot) {
        if (slot < 0 || slot >= level.numBlocks()) {
            throw new RemoteException(RemoteException.Kind.INDEX_OUT_OF_RANGE, "Block " + slot
                    + " is named of block set " + level.blockSet() + " of " + this + ", which has "
                    + level.numBlocks());
        }
    }

    /** Refuses a descriptor that was made in another life of the worker. */
    void requireEpoch(OptionalLong named) {
        if (named.isPresent() && named.getAsLong() != epoch()) {
            throw new RemoteException(RemoteException.Kind.STALE_EPOCH, "Blocks of epoch "
                    + Long.toUnsignedString(named.getAsLong()) + " are named of " + this
                    + "; ask the worker for new descriptors");
        }
    }

    @Override
    public String toString() {
        return "worker " + Long.toUnsignedString(workerId()) + " of epoch " + Long.toUnsignedString(epoch());
    }
}
