package io.kvbm.remote;

import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.PinList;
import io.kvbm.error.KvbmException;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.TransferControl;

/**
 * The memory of a worker that a transport reaches. Its owner holds the blocks while they are read and says their
 * checksums, which are compared always: a lease that has ended meanwhile has let them be written over.
 *
 * <pre>
 *   lease  ->  one-sided read  ->  checksums  ->  end of the lease, behind the caller's back
 * </pre>
 */
final class LeasedMemory implements AutoCloseable {

    /** How long a lease is asked for; the time of most reads is far below, and a reader that dies holds it as long. */
    private static final Duration TIME = Duration.ofSeconds(10);

    private static final Duration LOOK = Duration.ofMillis(20);

    private static final Logger log = LoggerFactory.getLogger(LeasedMemory.class);

    private final long asker;
    private final long epoch;
    private final PeerLink link;
    private final RemoteAccess access;
    private final OwnBlocks own;
    private final Executor questions;
    private final Map<Integer, BlockRanges> sets = new HashMap<>();

    /**
     * The memory that a worker exports.
     *
     * @param asker this worker
     * @param link the way to its owner
     * @param own the blocks of this worker
     * @param questions asks the owner, not in the calling thread
     */
    LeasedMemory(long asker, Blockset blockset, PeerLink link, RemoteAccess access, OwnBlocks own,
            Executor questions) {
        this.asker = asker;
        this.epoch = blockset.epoch();
        this.link = link;
        this.access = access;
        this.own = own;
        this.questions = questions;
        blockset.levels().forEach(level -> sets.put(level.blockSet(), level.ranges()));
    }

    /**
     * Reads blocks in order up to the first that its owner does not hold any more.
     *
     * @param into one for each, of the same shape; what those behind the last block taken hold is undefined
     * @throws RemoteException what the owner refuses, {@code TRANSPORT} where it is not reached
     */
    ReadResult read(int set, Wanted wanted, List<? extends BlockHandle> into, TransferControl control) {
        BlockRanges from = Optional.ofNullable(sets.get(set))
                .orElseThrow(() -> new RemoteException(RemoteException.Kind.UNKNOWN_BLOCK_SET,
                        "Block set " + set + " is not exported by the worker; fetch its blockset anew"));
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
        try {
            return read(from, wanted, leased.checksums(), into.subList(0, held), control);
        } finally {
            questions.execute(() -> end(leased.lease()));
        }
    }

    /** A link may wait longer than a request may: what is leased after that is given back unread. */
    private Optional<PeerAnswer> ask(PeerRequest.Lease request, TransferControl control) {
        CompletableFuture<PeerAnswer> asked = CompletableFuture.supplyAsync(() -> link.ask(request), questions);
        while (true) {
            try {
                return Optional.of(asked.get(LOOK.toMillis(), TimeUnit.MILLISECONDS));
            } catch (TimeoutException | InterruptedException e) {
                if (e instanceof InterruptedException) {
                    Thread.currentThread().interrupt();
                }
                if (e instanceof InterruptedException || !control.mayGoOn()) {
                    var _ = asked.thenAccept(this::giveBack);
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
            end(leased.lease());
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

    private ReadResult read(BlockRanges from, Wanted wanted, int[] checksums, List<? extends BlockHandle> into,
            TransferControl control) {
        int held = checksums.length;
        int[] slots = Arrays.copyOf(wanted.slots(), held);
        if (!move(from, slots, into, control)) {
            return new ReadResult(0, ReadOutcome.LATE);
        }
        try (PinList pins = PinList.of(into)) {
            for (int i = 0; i < held; i++) {
                if (BlockChecksum.of(pins.get(i)) != checksums[i]) {
                    return new ReadResult(i, ReadOutcome.CORRUPT);
                }
            }
        }
        return new ReadResult(held, held == wanted.size() ? ReadOutcome.TAKEN : ReadOutcome.STALE);
    }

    /** Whether it was in time. */
    private boolean move(BlockRanges from, int[] slots, List<? extends BlockHandle> into, TransferControl control) {
        try {
            access.read(from, slots, own.of(into), into, control);
            return true;
        } catch (TransferException e) {
            if (control.mayGoOn()) {
                throw e;
            }
            return false;
        }
    }

    private void end(long lease) {
        try {
            var _ = link.ask(new PeerRequest.EndLease(asker, epoch, lease));
        } catch (KvbmException e) {
            log.debug("Lease {} ends by itself: {}", Long.toUnsignedString(lease), e.getMessage());
        }
    }

    @Override
    public void close() {
        access.close();
    }
}
