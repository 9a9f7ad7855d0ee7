package io.kvbm.remote;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.MutabilityKind;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.RemoteException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.time.MonotonicClock;

/**
 * The other workers that this one knows by what they export. An import that is refused changes nothing, a newer life of a
 * worker takes the place of the older one, and a worker that leaves is let go step by step, see {@link PeerState}. Safe
 * for use by several threads.
 */
public final class Peers implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Peers.class);

    private final LocalWorker local;
    private final PeerLimits limits;
    private final MonotonicClock clock;
    private final PeerMemory.Source memories;
    private final Reach reach;

    private final PeerCounters counters = new PeerCounters();
    private final Map<Long, Peer> peers = new ConcurrentHashMap<>(); // read without the lock by every request
    private final List<Peer> leaving = new ArrayList<>();
    private boolean closed;

    /** Knows nobody yet, and reaches those whose memory is found. */
    public Peers(LocalWorker local, PeerLimits limits, MonotonicClock clock, PeerMemory.Source memories) {
        this(local, limits, clock, memories, Reach.NONE);
    }

    /** Knows nobody yet, and reaches those whose memory is found, and others by a transport. */
    Peers(LocalWorker local, PeerLimits limits, MonotonicClock clock, PeerMemory.Source memories, Reach reach) {
        this.local = local;
        this.limits = limits;
        this.clock = clock;
        this.memories = memories;
        this.reach = reach;
    }

    /** What reaches the memory of workers that is not mapped. */
    @FunctionalInterface
    interface Reach {

        /** Reaches nobody. */
        Reach NONE = (_, _) -> Optional.empty();

        /** Reaches what a worker exports; empty where it does not say how. */
        Optional<LeasedMemory> open(Blockset blockset, PeerLink link);
    }

    /**
     * Learns what another worker exports, in place of what an older life of it exported. The same export again changes
     * nothing, unless there was no way to ask the worker so far.
     *
     * @param link the way to ask it, or null where there is none: then its blocks can be read but nothing can be put
     * @throws RemoteException {@code OWN_WORKER}, {@code STALE_EPOCH} where a later life is known, {@code GEOMETRY} where
     *         its blocks are of another shape, {@code LIMIT} where too many peers are known, {@code TRANSPORT} where it
     *         shares memory with this host but the memory is not what it says
     */
    public synchronized Peer importBlockset(Blockset blockset, @Nullable PeerLink link) {
        requireOther(blockset.workerId());
        Peer known = peers.get(blockset.workerId());
        if (known != null && known.blockset().equals(blockset) && (link == null || known.isReached())) {
            known.returned();
            return known;
        }
        if (known != null && Long.compareUnsigned(blockset.epoch(), known.epoch()) < 0) {
            throw new RemoteException(RemoteException.Kind.STALE_EPOCH, "The blockset is of epoch "
                    + Long.toUnsignedString(blockset.epoch()) + ", but " + known
                    + " is known already; fetch the blockset anew");
        }
        return replace(blockset, BlocksetCodec.digest(BlocksetCodec.encode(blockset)), link);
    }

    /**
     * Learns what another worker exports, in place of what is known of it: for who has just asked the worker itself, which
     * knows better than any order of epochs.
     *
     * @param digest of the document, which says more than the blockset where its writer is of a later version
     * @throws RemoteException as {@link #importBlockset} but for {@code STALE_EPOCH}
     */
    synchronized Peer replace(Blockset blockset, String digest, @Nullable PeerLink link) {
        requireOther(blockset.workerId());
        if (closed) {
            throw new ClosedException("Worker " + Long.toUnsignedString(local.workerId())
                    + " is closed and learns of nobody any more");
        }
        Peer known = peers.get(blockset.workerId());
        if (known == null && peers.size() >= limits.peers()) {
            throw new RemoteException(RemoteException.Kind.LIMIT, "Worker "
                    + Long.toUnsignedString(blockset.workerId()) + " would be one more than the " + limits.peers()
                    + " peers that are known at most; raise the limit");
        }
        blockset.levels().forEach(this::requireOurShape);
        PeerMemory mapped = memories.open(blockset).orElse(null);
        LeasedMemory leased = mapped == null && link != null ? reach.open(blockset, link).orElse(null) : null;
        Peer peer = new Peer(blockset, digest, blockset.isOf(local.fingerprint()), mapped, leased, link, limits, clock,
                counters);
        peers.put(blockset.workerId(), peer);
        if (known != null) {
            retire(known);
        }
        if (!peer.hits()) {
            log.warn("The content of {} is {}, ours {}: nothing of it will ever be a hit", peer,
                    blockset.fingerprint(), local.fingerprint());
        }
        return peer;
    }

    private void requireOther(long workerId) {
        if (workerId == local.workerId()) {
            throw new RemoteException(RemoteException.Kind.OWN_WORKER, "The blockset is of worker "
                    + Long.toUnsignedString(workerId) + ", which is this one; give every worker an id of its own");
        }
    }

    private void requireOurShape(ExportedLevel level) {
        LayoutConfig ours = local.layouts().get(level.level());
        if (ours != null) {
            level.requireShape(ours);
        }
    }

    private void retire(Peer peer) {
        peer.leave();
        if (!peer.advance()) {
            leaving.add(peer);
        }
    }

    /** A worker that was about to be let go is there again. */
    synchronized void returned(long workerId) {
        Peer peer = peers.get(workerId);
        if (peer != null) {
            peer.returned();
        }
    }

    /** Begins to let a worker go: it is asked for nothing new. Does nothing where it is not known. */
    public synchronized void leave(long workerId) {
        Peer peer = peers.get(workerId);
        if (peer != null) {
            peer.leave();
        }
    }

    /** Forgets a worker; its memory goes when nothing runs any more. Does nothing where it is not known. */
    public synchronized void remove(long workerId) {
        Peer peer = peers.remove(workerId);
        if (peer != null) {
            retire(peer);
        }
    }

    /** Lets those go further whose time has come; to be called now and then. */
    public synchronized void advance() {
        peers.values().removeIf(Peer::advance);
        leaving.removeIf(Peer::advance);
    }

    /** The worker of this id in the life that is known. */
    public Optional<Peer> peer(long workerId) {
        return Optional.ofNullable(peers.get(workerId));
    }

    /** The workers that are known. */
    public List<Peer> all() {
        return List.copyOf(peers.values());
    }

    /** What has been read from all workers that are or were known. */
    public PeerStats stats() {
        return counters.stats();
    }

    /** The number of lives that were replaced or removed and whose memory is still there. */
    public synchronized int leaving() {
        return leaving.size();
    }

    /**
     * The blocks that a descriptor list names, to be read.
     *
     * @throws RemoteException {@code UNKNOWN_WORKER}, {@code UNKNOWN_BLOCK_SET}, {@code INDEX_OUT_OF_RANGE},
     *         {@code STALE_EPOCH} where the worker was started anew since, or the list names generations and not the epoch
     *         in which they count
     */
    public List<RemoteBlock> immutable(BlockDescriptorList list) {
        return blocks(list, MutabilityKind.IMMUTABLE);
    }

    /**
     * The blocks that a descriptor list names, to be written.
     *
     * @throws RemoteException as {@link #immutable}, and {@code NOT_MUTABLE} where the list does not permit it
     */
    public List<RemoteBlock> mutable(BlockDescriptorList list) {
        if (list.mutability() != MutabilityKind.MUTABLE) {
            throw new RemoteException(RemoteException.Kind.NOT_MUTABLE, "The descriptor list of " + list.size()
                    + " blocks of worker " + Long.toUnsignedString(list.workerId())
                    + " permits reading only; have their owner describe mutable blocks");
        }
        return blocks(list, MutabilityKind.MUTABLE);
    }

    private List<RemoteBlock> blocks(BlockDescriptorList list, MutabilityKind mutability) {
        Peer peer = require(list.workerId(), list.blockSet());
        ExportedLevel level = peer.requireLevel(list.blockSet());
        if (list.epoch().isEmpty() && list.generation(0).isPresent()) {
            throw new RemoteException(RemoteException.Kind.STALE_EPOCH, "Generations of blocks of " + peer
                    + " are named without the epoch in which they count; ask the worker for new descriptors");
        }
        peer.requireEpoch(list.epoch());
        BlockLayout layout = level.blockLayout();
        List<RemoteBlock> blocks = new ArrayList<>(list.size());
        for (int i = 0; i < list.size(); i++) {
            peer.requireSlot(level, list.index(i));
            blocks.add(new RemoteBlock(list.id(i), peer.epoch(), layout, level.storageType(), mutability,
                    list.generation(i)));
        }
        return List.copyOf(blocks);
    }

    /** The worker of these blocks, which it exports, in the life in which they were named. */
    Peer require(RemoteRequest request) {
        Peer peer = require(request.workerId(), request.blockSet());
        request.remote().forEach(block -> peer.requireEpoch(OptionalLong.of(block.epoch())));
        peer.requireSlots(request.blockSet(), request.slots());
        return peer;
    }

    /** The worker of this id, of which a block set is named. */
    Peer require(long workerId, int blockSet) {
        return peer(workerId).orElseThrow(() -> new RemoteException(RemoteException.Kind.UNKNOWN_WORKER, "Block set "
                + blockSet + " of worker " + Long.toUnsignedString(workerId)
                + " is named, but no such worker is imported; import its blockset first"));
    }

    /** Forgets all workers; the memory of each goes as soon as nothing runs with it any more. */
    @Override
    public synchronized void close() {
        closed = true;
        peers.values().forEach(Peer::drop);
        peers.clear();
        leaving.forEach(Peer::drop);
        leaving.removeIf(Peer::advance);
    }
}
