package io.kvbm.remote;

import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockHandle;
import io.kvbm.error.KvbmException;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.TransferControl;

/**
 * The memory of a worker that a transport reaches. Its owner holds the blocks while they are read and says their
 * checksums, which are compared always: a lease that has ended meanwhile has let them be written over. What is written
 * its owner has leased before, and uses for nothing else from the beginning to the end.
 *
 * <pre>
 *   lease        ->  one-sided read, and behind it the end of the lease   ->  checksums
 *   begin write  ->  one-sided write, and behind it the end of the write, which is also told by the link
 * </pre>
 */
final class LeasedMemory implements AutoCloseable {

    /** How long a lease is asked for; the time of most reads is far below, and a reader that dies holds it as long. */
    private static final Duration TIME = Duration.ofSeconds(10);

    /** The ends of writes that could not be told yet. */
    private static final int MOST_UNTOLD = 1024;

    private static final Duration LOOK = Duration.ofMillis(20);

    private static final Logger log = LoggerFactory.getLogger(LeasedMemory.class);

    private final long asker;
    private final long epoch;
    private final PeerLink link;
    private final RemoteAccess access;
    private final OwnBlocks own;
    private final Executor questions;
    private final LongSupplier numbers;
    private final Queue<PeerRequest.EndWrite> untold = new ConcurrentLinkedQueue<>();
    private final Map<Integer, BlockRanges> sets = new HashMap<>();

    /**
     * The memory that a worker exports.
     *
     * @param asker this worker
     * @param link the way to its owner
     * @param own the blocks of this worker
     * @param questions asks the owner, not in the calling thread
     * @param numbers those of writes, each once
     */
    LeasedMemory(long asker, Blockset blockset, PeerLink link, RemoteAccess access, OwnBlocks own,
            Executor questions, LongSupplier numbers) {
        this.asker = asker;
        this.epoch = blockset.epoch();
        this.link = link;
        this.access = access;
        this.own = own;
        this.questions = questions;
        this.numbers = numbers;
        blockset.levels().forEach(level -> sets.put(level.blockSet(), level.ranges()));
    }

    /**
     * Reads blocks in order up to the first that its owner does not hold any more.
     *
     * @param into one for each, of the same shape; what those behind the last block taken hold is undefined
     * @throws RemoteException what the owner refuses, {@code TRANSPORT} where it is not reached
     */
    ReadResult read(int set, Wanted wanted, List<? extends BlockHandle> into, TransferControl control) {
        BlockRanges from = ranges(set);
        Optional<PeerRequest.Lease> request = wanted.lease(asker, epoch, set, TIME);
        if (request.isEmpty()) {
            return move(from, wanted.slots(), into, control)
                    ? new ReadResult(wanted.size(), ReadOutcome.TAKEN)
                    : new ReadResult(0, ReadOutcome.LATE);
        }
        Optional<PeerAnswer> answer = ask(request.get(), control);
        if (answer.isEmpty()) {
            return new ReadResult(0, ReadOutcome.LATE);
        }
        PeerAnswer.Leased leased = leased(answer.get(), wanted.size());
        int held = leased.checksums().length;
        if (held == 0) {
            return new ReadResult(0, ReadOutcome.STALE);
        }
        return read(from, wanted, leased, into.subList(0, held), control);
    }

    private BlockRanges ranges(int set) {
        return Optional.ofNullable(sets.get(set))
                .orElseThrow(() -> new RemoteException(RemoteException.Kind.UNKNOWN_BLOCK_SET,
                        "Block set " + set + " is not exported by the worker; fetch its blockset anew"));
    }

    /** A link may wait longer than a request may: then nobody waits for the answer, and what it gives is given back. */
    private Optional<PeerAnswer> ask(PeerRequest request, TransferControl control) {
        CompletableFuture<PeerAnswer> asked = CompletableFuture.supplyAsync(() -> link.ask(request), questions);
        while (true) {
            try {
                return Optional.of(asked.get(LOOK.toMillis(), TimeUnit.MILLISECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                var _ = asked.thenAcceptAsync(this::giveBack, questions);
                throw new TransferException(TransferException.Kind.CANCELLED,
                        "Interrupted while the worker was asked; nothing was moved");
            } catch (TimeoutException e) {
                if (!control.mayGoOn()) {
                    var _ = asked.thenAcceptAsync(this::giveBack, questions);
                    return Optional.empty();
                }
            } catch (ExecutionException e) {
                throw e.getCause() instanceof RuntimeException failure ? failure
                        : new IllegalStateException(e.getCause());
            }
        }
    }

    private void giveBack(PeerAnswer late) {
        if (late instanceof PeerAnswer.Leased leased && leased.lease() != 0) {
            tell(new PeerRequest.EndLease(asker, epoch, leased.lease()));
        }
    }

    /**
     * Writes blocks that their owner has leased to this worker, and has it told its application.
     *
     * @param lease the number of the lease, or 0 for any
     * @param from one for each slot, of the same shape
     * @throws RemoteException what the owner refuses; {@code TRANSPORT} where it is not reached, and it is not known
     *         which bytes were written
     * @throws io.kvbm.error.TransferException as {@link RemoteAccess.Move#await}
     */
    void write(int set, long lease, int[] slots, List<? extends BlockHandle> from, String notification,
            TransferControl control) {
        long number = numbers.getAsLong();
        try (RemoteAccess.Move move = access.write(ranges(set), slots, own.of(from), from)) {
            PeerRequest.EndWrite end = new PeerRequest.EndWrite(asker, epoch, number, notification);
            byte[] told = ControlCodec.encode(end);
            begin(new PeerRequest.BeginWrite(asker, epoch, number, lease, set, slots), control);
            move.start(told, () -> questions.execute(() -> tell(nothingWritten(number))));
            move.await(control);
            questions.execute(() -> tell(end)); // it came behind the bytes, if nothing was lost there
        }
    }

    private PeerRequest.EndWrite nothingWritten(long number) {
        return new PeerRequest.EndWrite(asker, epoch, number, "");
    }

    /** Returns where it may; else it is not known whether it has begun there, so it ends. */
    private void begin(PeerRequest.BeginWrite request, TransferControl control) {
        boolean begun = false;
        try {
            Refusal.requireDone("The worker", ask(request, control).orElseThrow(() -> LeasedRead.late(control)));
            if (!control.mayGoOn()) {
                throw LeasedRead.late(control);
            }
            begun = true;
        } finally {
            if (!begun) {
                questions.execute(() -> tell(nothingWritten(request.write())));
            }
        }
    }

    private static PeerAnswer.Leased leased(PeerAnswer answer, int wanted) {
        return switch (answer) {
            case PeerAnswer.Leased leased when leased.checksums().length <= wanted -> leased;
            case PeerAnswer.Refused(RemoteException.Kind kind, String message) -> throw new RemoteException(kind,
                    "The worker refused to hold blocks: " + message);
            default -> throw Refusal.malformed("The worker gave an answer to another question");
        };
    }

    private ReadResult read(BlockRanges from, Wanted wanted, PeerAnswer.Leased leased,
            List<? extends BlockHandle> into, TransferControl control) {
        PeerRequest.EndLease end = new PeerRequest.EndLease(asker, epoch, leased.lease());
        int[] checksums = leased.checksums();
        LeasedRead read = new LeasedRead(access, from, Arrays.copyOf(wanted.slots(), checksums.length), checksums,
                own.of(into), into, ControlCodec.encode(end));
        try {
            ReadResult result = read.run(control);
            return result.end() == ReadOutcome.TAKEN && result.blocks() < wanted.size()
                    ? new ReadResult(result.blocks(), ReadOutcome.STALE)
                    : result;
        } finally {
            if (!read.hasArrived()) {
                questions.execute(() -> tell(end));
            }
        }
    }

    /** Whether it was in time. */
    private boolean move(BlockRanges from, int[] slots, List<? extends BlockHandle> into, TransferControl control) {
        try (RemoteAccess.Move move = access.read(from, slots, own.of(into), into)) {
            move.start(new byte[0], () -> {});
            return LeasedRead.isInTime(move, control);
        }
    }

    /** Tells the owner of an end. That of a write has to come, or its blocks are never used again. */
    private void tell(PeerRequest end) {
        try {
            var _ = link.ask(end);
        } catch (KvbmException e) {
            log.debug("{} was not told: {}", end, e.getMessage());
            if (end instanceof PeerRequest.EndWrite write && untold.size() < MOST_UNTOLD) {
                untold.add(write);
            }
        }
    }

    /** Tells what could not be told before; to be called now and then. */
    void advance() {
        for (int left = untold.size(); left > 0; left--) {
            PeerRequest.EndWrite end = untold.poll();
            if (end == null) {
                return;
            }
            questions.execute(() -> tell(end));
        }
    }

    @Override
    public void close() {
        access.close();
    }
}
