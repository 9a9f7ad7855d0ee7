package io.kvbm.remote;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.FirstFailure;
import io.kvbm.pool.BlockPool;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.RemoteTransport;
import io.kvbm.transfer.TransferObserver;

/**
 * The part of a worker that has to do with others: what it exports and answers, whom it knows, what they hold, and how
 * blocks cross. It has no threads and no timer: {@link #advance} does what is due.
 */
public final class Peering implements AutoCloseable {

    private final LocalWorker local;
    private final List<BlockPool> pools;
    private final Peers peers;
    private final PeerIndex index;
    private final PeerFeeds feeds;
    private final Leases leases;
    private final RemoteTransfers transfers;
    private final PrefixTaker taker;
    private final EventJournal journal;
    private final WorkerDesk desk;
    private final MonotonicClock clock;
    private final byte[] agentMetadata;
    private final Runnable withdraw;

    /**
     * Shares these pools.
     *
     * @param journal the events of the pools, which becomes this one's own
     * @param memories where the memory of peers is found
     * @param transport what reaches peers whose memory is not found; null where nothing does
     * @param random numbers that others cannot guess
     * @param timeout the time within which a copy has to be over that another worker asks for
     * @param observer is told of what is taken from peers
     */
    public Peering(LocalWorker local, List<BlockPool> pools, EventJournal journal, SharingLimits limits,
            PeerMemory.Source memories, @Nullable RemoteTransport transport, MonotonicClock clock,
            RandomGenerator random, Duration timeout, TransferObserver observer) {
        this.local = local;
        this.pools = List.copyOf(pools);
        this.journal = journal;
        this.clock = clock;
        this.withdraw = transport == null ? () -> {} : transport::withdraw;
        this.agentMetadata = transport == null ? new byte[0] : transport.metadata();
        this.peers = new Peers(local, limits.peers(), clock, memories,
                reach(local, pools, transport, new AtomicLong(random.nextLong())));
        this.index = new PeerIndex(limits.indexedSets(), limits.indexedBlocks(), random.nextLong());
        this.feeds = new PeerFeeds(local, index);
        this.leases = new Leases(limits.leases(), clock, random.nextLong());
        this.transfers = new RemoteTransfers(local, pools, peers, clock, timeout);
        this.taker = new PrefixTaker(peers, index, observer);
        this.desk = new WorkerDesk(local, pools, agentMetadata, leases, transfers,
                (epoch, from) -> new PeerAnswer.Events(EventFrameCodec.encode(journal.page(epoch, from))),
                transport == null ? () -> {} : transport::expect);
        if (transport != null) {
            transport.listen(desk::heard);
        }
    }

    private static Peers.Reach reach(LocalWorker local, List<BlockPool> pools, @Nullable RemoteTransport transport,
            AtomicLong writes) {
        if (transport == null) {
            return Peers.Reach.NONE;
        }
        OwnBlocks own = new OwnBlocks(pools);
        return (blockset, link) -> blockset.agentMetadata().length == 0
                ? Optional.empty()
                : Optional.of(new LeasedMemory(local.workerId(), blockset, link,
                        transport.connect(blockset.workerId(), blockset.epoch(), blockset.agentMetadata()),
                        own, Thread::startVirtualThread, writes::getAndIncrement));
    }

    /** This worker. */
    public LocalWorker local() {
        return local;
    }

    /** What this worker exports. */
    public Blockset blockset() {
        return local.blockset(pools, agentMetadata);
    }

    /** Answers what other workers ask. */
    public WorkerDesk desk() {
        return desk;
    }

    /** What this worker holds for others. */
    public Leases leases() {
        return leases;
    }

    /** Moves blocks by hand. */
    public RemoteTransfers transfers() {
        return transfers;
    }

    /** Takes what peers have of a sequence. */
    public PrefixTaker taker() {
        return taker;
    }

    /** What has been read from all workers that are or were known. */
    public PeerStats stats() {
        return peers.stats();
    }

    /** What peers are believed to hold. */
    public PeerIndex index() {
        return index;
    }

    /** The workers that are known. */
    public List<Peer> peers() {
        return peers.all();
    }

    /**
     * Learns what another worker exports; see {@link Peers#importBlockset}.
     *
     * @param link the way to ask it, or null where there is none
     */
    public Peer importBlockset(Blockset blockset, @Nullable PeerLink link) {
        return peers.importBlockset(blockset, link);
    }

    /** Forgets a worker. */
    public void remove(long workerId) {
        peers.remove(workerId);
        feeds.forget(workerId);
    }

    /** The blocks that a descriptor list names, to be written; see {@link Peers#mutable}. */
    public List<RemoteBlock> mutable(BlockDescriptorList list) {
        return peers.mutable(list);
    }

    /** The blocks that a descriptor list names, to be read; see {@link Peers#immutable}. */
    public List<RemoteBlock> immutable(BlockDescriptorList list) {
        return peers.immutable(list);
    }

    /** Keeps the peers in step with a catalog, and the index with the peers. */
    public Reconciler reconciler(PeerLinks links, ReconcilerSettings settings) {
        return new Reconciler(local, peers, links, clock, settings, feeds);
    }

    /** Ends leases whose time is over, and lets peers go that have left; to be called several times a second. */
    public void advance() {
        leases.advance();
        peers.advance();
    }

    /** Tells others that this worker is leaving, and leases nothing more. */
    public void drain() {
        desk.drain();
        leases.drain();
    }

    /** Lets everything of other workers go. */
    @Override
    public void close() {
        drain();
        FirstFailure failure = new FirstFailure();
        failure.attempt(withdraw); // before what it reaches is used for anything else
        failure.attempt(leases::close);
        failure.attempt(peers::close);
        failure.attempt(journal::close);
        failure.rethrow();
    }
}
