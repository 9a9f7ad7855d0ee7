package io.kvbm.remote;

import java.time.Duration;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.Pin;
import io.kvbm.block.PinList;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.pool.BlockPool;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;

/**
 * Moves blocks between this worker and others, in the calling thread. On one host every move is a copy by whoever
 * receives, since nobody can write the memory of another: a get reads the peer's memory, a put has the peer read ours.
 * Where a transport reaches the peer, both read and write its memory.
 */
public final class RemoteTransfers {

    private final LocalWorker local;
    private final Peers peers;
    private final MonotonicClock clock;
    private final Duration timeout;
    private final IdentityHashMap<BlockPool, Loans> loans = new IdentityHashMap<>();

    /**
     * Moves blocks of these pools.
     *
     * @param timeout the time within which a move has to be over that another worker has asked for
     */
    public RemoteTransfers(LocalWorker local, List<BlockPool> pools, Peers peers, MonotonicClock clock,
            Duration timeout) {
        this.local = local;
        this.peers = peers;
        this.clock = clock;
        this.timeout = timeout;
        for (BlockPool pool : pools) {
            pool.board().ifPresent(board -> loans.put(pool, new Loans(board)));
        }
    }

    /**
     * Fetches blocks from another worker. The notification is the last step: where it fails, the bytes are there.
     *
     * @throws TransferException {@code INVALID_REQUEST}, {@code SHAPE_MISMATCH}, {@code DEADLINE_EXCEEDED},
     *         {@code CANCELLED}
     * @throws RemoteException {@code UNKNOWN_WORKER}, {@code STALE_EPOCH}, {@code DRAINING}, {@code BUSY},
     *         {@code TRANSPORT}; {@code STALE_BLOCK} where a source does not hold any more what its generation says. What
     *         the destinations hold is undefined then; where the worker is on another host they may still be written,
     *         whatever was thrown: close them and use others
     */
    public void get(GetRequest request, TransferControl control) {
        request.validateBlocks();
        request.validateShapes();
        Peer peer = peers.require(request);
        Wanted wanted = wanted(request);
        require(peer, request.blockSet(), wanted,
                peer.read(request.blockSet(), wanted, request.local(), control), control);
        if (!request.notification().isEmpty()) {
            peer.order(new PeerRequest.Notify(local.workerId(), request.notification()), 0);
        }
    }

    private static Wanted wanted(GetRequest request) {
        List<RemoteBlock> blocks = request.remote();
        long known = blocks.stream().filter(block -> block.generation().isPresent()).count();
        if (known == 0) {
            return new Wanted.Anything(request.slots());
        }
        if (known < blocks.size()) {
            throw new TransferException(TransferException.Kind.INVALID_REQUEST, known + " of " + blocks.size()
                    + " sources have a generation; give all of them one or none");
        }
        return new Wanted.Generations(request.slots(), blocks.stream()
                .map(RemoteBlock::generation)
                .mapToLong(OptionalLong::getAsLong)
                .toArray());
    }

    /**
     * Puts blocks of this worker into blocks that another one has leased to it. On this host the other worker fetches
     * them: the control is looked at before it is asked, and how long the answer is waited for is the link's affair.
     * Elsewhere this worker writes them; where it does not get to know that all have arrived, the other one keeps its
     * blocks from any other use, and nothing may be put into them again; as the bytes may be on their way, nothing else is
     * to be written into the sources after any exception: close them and use others.
     *
     * @throws TransferException {@code INVALID_REQUEST}, {@code SHAPE_MISMATCH}, {@code DEADLINE_EXCEEDED},
     *         {@code CANCELLED}
     * @throws RemoteException {@code UNKNOWN_WORKER}, {@code STALE_EPOCH}, {@code DRAINING}, {@code BUSY} also while one
     *         of the blocks is still being filled by a put that was given up, what else it refuses, {@code TRANSPORT} or
     *         {@code DEADLINE} where it did not answer or was not reached; whether the bytes have arrived is unknown then
     */
    public void put(PutRequest request, TransferControl control) {
        request.validateBlocks();
        request.validateShapes();
        Peer peer = peers.require(request);
        if (peer.isElsewhere()) {
            peer.write(request, control);
        } else {
            havePulled(peer, request, control);
        }
    }

    private void havePulled(Peer peer, PutRequest request, TransferControl control) {
        BlockPool pool = pool(request.local());
        Loans lent = Objects.requireNonNull(loans.get(pool));
        int[] sources = request.local().stream().mapToInt(BlockHandle::index).toArray();
        try (PinList _ = PinList.of(request.local())) {
            control.check();
            long[] numbers = lent.lend(sources);
            try {
                peer.order(new PeerRequest.Pull(local.workerId(), local.epoch(), peer.epoch(),
                        pool.blocks().number(), sources, numbers, request.lease(), request.blockSet(), request.slots(),
                        request.notification()), sources.length);
            } finally {
                lent.takeBack(sources);
            }
        }
    }

    private BlockPool pool(List<? extends BlockHandle> blocks) {
        BlockHandle first = blocks.getFirst();
        for (BlockPool pool : loans.keySet()) {
            if (pool.isPoolOf(first)) {
                for (BlockHandle block : blocks) {
                    if (!pool.isPoolOf(block)) {
                        throw new TransferException(TransferException.Kind.INVALID_REQUEST, "Blocks " + first.id()
                                + " and " + block.id() + " are of different pools; make a request for each");
                    }
                }
                return pool;
            }
        }
        throw new TransferException(TransferException.Kind.INCOMPATIBLE_TYPES, "Block " + first.id()
                + " is of no pool of this worker that others can read; put from shared host memory");
    }

    /**
     * Fetches blocks that another worker lends, because it asks for it.
     *
     * @throws RemoteException {@code UNKNOWN_WORKER}, {@code STALE_EPOCH}, {@code UNKNOWN_BLOCK_SET},
     *         {@code INDEX_OUT_OF_RANGE}, {@code GEOMETRY}, {@code STALE_BLOCK} where they are not lent any more, and
     *         others of the read
     */
    void pull(PeerRequest.Pull wanted, List<Pin> destinations) {
        Peer peer = peers.require(wanted.asker(), wanted.sourceSet());
        peer.requireEpoch(OptionalLong.of(wanted.askerEpoch()));
        peer.requireSlots(wanted.sourceSet(), wanted.sources());
        ExportedLevel level = peer.requireLevel(wanted.sourceSet());
        destinations.forEach(destination -> level.requireShape(destination.layout().config()));
        Wanted lent = new Wanted.Lent(wanted.sources(), wanted.loans());
        TransferControl control = new TransferControl(clock, timeout);
        require(peer, wanted.sourceSet(), lent, peer.copy(wanted.sourceSet(), lent, destinations, control), control);
    }

    /** All blocks, or none that counts. */
    private static void require(Peer peer, int blockSet, Wanted wanted, ReadResult result, TransferControl control) {
        if (result.end() == ReadOutcome.LATE) {
            control.check();
        }
        if (result.end() != ReadOutcome.TAKEN) {
            throw new RemoteException(RemoteException.Kind.STALE_BLOCK, "Block " + wanted.slots()[result.blocks()]
                    + " of block set " + blockSet + " of " + peer + " is " + result.end()
                    + ": it does not hold what was asked for; ask its worker for new descriptors");
        }
    }
}
