package io.kvbm.remote;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.IdentityChain;

import static org.assertj.core.api.Assertions.assertThat;

/** A worker that answers another one, whose memory it has mapped. */
@EnabledOnOs(OS.LINUX)
class WorkerDeskTest {

    private static final int BLOCKS = 8;
    private static final int SET = SharedPool.SET;
    private static final long ASKER = -7; // unsigned
    private static final long ASKER_EPOCH = 3;
    private static final long EPOCH = -2; // unsigned
    private static final Duration TIME = Duration.ofSeconds(10);

    private final ManualClock clock = new ManualClock();
    private final SharedPool own = SharedPool.of(1, EPOCH, BLOCKS, 16);
    private final SharedPool asker = SharedPool.of(ASKER, ASKER_EPOCH, BLOCKS, 16);
    private final Loans lent = new Loans(asker.board);
    private final Leases leases = new Leases(LeaseLimits.DEFAULT, clock, 100);
    private final List<Runnable> beforeCopies = new ArrayList<>();
    private final Peers peers = new Peers(own.worker, PeerLimits.DEFAULT, clock,
            blockset -> PeerMemory.open(blockset, ChecksumMode.OFF, step -> {
                if (step == ReadStep.COPY && !beforeCopies.isEmpty()) {
                    beforeCopies.removeFirst().run();
                }
            }));
    private int expected;
    private final List<Long> pages = new ArrayList<>();
    private final WorkerDesk desk = new WorkerDesk(own.worker, List.of(own.pool), new byte[0], leases,
            new RemoteTransfers(own.worker, List.of(own.pool), peers, clock, TIME), (epoch, from) -> {
                pages.addAll(List.of(epoch, from));
                return new PeerAnswer.Events(new byte[]{1, 2});
            }, () -> expected++);
    private final List<String> heard = new ArrayList<>();

    WorkerDeskTest() {
        desk.listen((worker, text) -> heard.add(Long.toUnsignedString(worker) + ": " + text));
    }

    @AfterEach
    void nothingStaysPinnedOrLent() {
        leases.close();
        peers.close();
        assertThat(own.pool.stats().holders() + asker.pool.stats().holders()).isZero();
        own.close();
        asker.close();
    }

    private void refused(Kind kind, PeerRequest request) {
        assertThat(desk.ask(request)).isInstanceOfSatisfying(PeerAnswer.Refused.class,
                refused -> assertThat(refused.kind()).as(refused.message()).isEqualTo(kind));
    }

    private void done(PeerRequest request) {
        assertThat(desk.ask(request)).isEqualTo(new PeerAnswer.Done());
    }

    private PeerAnswer.State state() {
        return (PeerAnswer.State) desk.ask(new PeerRequest.State(ASKER));
    }

    private Reader.Known registered() {
        IdentityChain chain = SharedPool.chain(1, 3);
        try (BlockList<ImmutableBlock> registered = own.register(chain, 0, 3)) {
            return Reader.known(registered, chain, 0);
        }
    }

    private static PeerRequest.Lease lease(long epoch, int set, int[] slots, long[] generations) {
        return new PeerRequest.Lease(ASKER, epoch, set, slots, generations, TIME);
    }

    // ---------------------------------------------------------------------------------------------- say

    @Test
    void itSaysWhoItIsAndWhetherItLeaves() {
        String digest = BlocksetCodec.digest(BlocksetCodec.encode(own.blockset()));
        assertThat(state()).isEqualTo(new PeerAnswer.State(1, EPOCH, SharedPool.FINGERPRINT, digest, false));
        desk.drain();
        assertThat(state()).isEqualTo(new PeerAnswer.State(1, EPOCH, SharedPool.FINGERPRINT, digest, true));
    }

    @Test
    void itSaysWhatItExportsWhateverWasDoneWithAnEarlierAnswer() {
        for (int i = 0; i < 2; i++) {
            PeerAnswer.Export export = (PeerAnswer.Export) desk.ask(new PeerRequest.Export(ASKER));
            assertThat(BlocksetCodec.decode(export.blockset())).isEqualTo(own.blockset());
            assertThat(BlocksetCodec.digest(export.blockset())).isEqualTo(state().digest());
            export.blockset()[20]++;
        }
    }

    @Test
    void itTellsItsEventsFromTheNumberOnThatIsAskedFor() {
        PeerAnswer.Events events = (PeerAnswer.Events) desk.ask(new PeerRequest.Events(ASKER, 77, -5));
        assertThat(events.frame()).containsExactly(1, 2);
        assertThat(pages).containsExactly(77L, -5L);
    }

    @Test
    void notificationsAreHeardByAllWhoListenThoughOneFails() {
        desk.listen((_, _) -> {
            throw new IllegalStateException("a listener");
        });
        desk.listen((worker, text) -> heard.add("last: " + text));
        done(new PeerRequest.Notify(ASKER, "text"));
        assertThat(heard).containsExactly("18446744073709551609: text", "last: text");
        assertThat(desk.failures()).isOne();
    }

    @Test
    void whatFailsUnexpectedlyIsRefusedWithoutTheReasonAndCounted() {
        WorkerDesk failing = new WorkerDesk(own.worker, List.of(own.pool), new byte[0], leases,
                new RemoteTransfers(own.worker, List.of(own.pool), peers, clock, TIME), (_, _) -> {
                    throw new IllegalStateException("inside");
                }, () -> {});
        PeerAnswer answer = failing.ask(new PeerRequest.Events(ASKER, EPOCH, 0));
        assertThat(answer).isEqualTo(
                new PeerAnswer.Refused(Kind.TRANSPORT, "The worker failed to answer; see its log"));
        assertThat(failing.failures()).isOne();
    }

    @Test
    void aWorkerThatIsClosedRefusesAndDoesNotFail() {
        Reader.Known known = registered();
        own.pool.close();
        refused(Kind.TRANSPORT, lease(EPOCH, SET, known.slots(), known.generations()));
        assertThat(desk.failures()).isZero();
    }

    // ---------------------------------------------------------------------------------------------- lease

    @Test
    void blocksAreLeasedUntilTheLeaseIsEndedInTheSameLife() {
        Reader.Known known = registered();
        PeerAnswer.Leased leased = (PeerAnswer.Leased) desk
                .ask(lease(EPOCH, SET, known.slots(), known.generations()));
        assertThat(leased.checksums()).hasSize(3);
        refused(Kind.STALE_EPOCH, new PeerRequest.EndLease(ASKER, EPOCH - 1, leased.lease()));
        done(new PeerRequest.EndLease(2, EPOCH, leased.lease()));
        assertThat(leases.stats().readLeases()).isOne();
        done(new PeerRequest.EndLease(ASKER, EPOCH, leased.lease()));
        assertThat(leases.stats().readLeases()).isZero();
        done(new PeerRequest.EndLease(ASKER, EPOCH, leased.lease()));
    }

    @Test
    void blocksThatAreNotThereAreNotLeased() {
        Reader.Known known = registered();
        refused(Kind.STALE_EPOCH, lease(EPOCH - 1, SET, known.slots(), known.generations()));
        refused(Kind.UNKNOWN_BLOCK_SET, lease(EPOCH, SET + 1, known.slots(), known.generations()));
        for (int slot : new int[]{BLOCKS, Integer.MAX_VALUE}) {
            assertThat(((PeerAnswer.Leased) desk.ask(lease(EPOCH, SET, new int[]{slot}, new long[1]))).lease())
                    .isZero();
        }
        desk.drain();
        leases.drain();
        refused(Kind.DRAINING, lease(EPOCH, SET, known.slots(), known.generations()));
        assertThat(desk.failures()).isZero();
        assertThat(leases.stats().readLeases()).isZero();
    }

    // ---------------------------------------------------------------------------------------------- pull

    /** Blocks of the asker that are lent, and as many of this worker that are leased to it. */
    private final class Move implements AutoCloseable {

        final BlockList<MutableBlock> sources = asker.pool.allocateBlocks(2);
        final BlockList<MutableBlock> targets = own.pool.allocateBlocks(2);
        final int[] from = sources.stream().mapToInt(MutableBlock::index).toArray();
        final int[] to = targets.stream().mapToInt(MutableBlock::index).toArray();
        long[] loans = lent.lend(from);
        final WriteLease lease = leases.write(own.pool, targets, ASKER, Writer.ASKS, TIME);

        Move() {
            fill(0);
        }

        private void fill(int seed) {
            IntStream.range(0, 2).forEach(i -> SharedPool.fill(sources.get(i), seed + i));
        }

        /** Takes the sources back, writes something else into them and lends them anew. */
        void lendAnew(int seed) {
            lent.takeBack(from);
            fill(seed);
            loans = lent.lend(from);
        }

        PeerRequest.Pull request(long askerEpoch, long epoch, int sourceSet, int[] slots, int targetSet) {
            return new PeerRequest.Pull(ASKER, askerEpoch, epoch, sourceSet, slots, loans, lease.number(), targetSet,
                    to, "moved");
        }

        PeerRequest.Pull request() {
            return request(ASKER_EPOCH, EPOCH, SET, from, SET);
        }

        boolean isDone() {
            return isDone(0);
        }

        boolean isDone(int seed) {
            return IntStream.range(0, 2).allMatch(i -> SharedPool.holds(targets.get(i), seed + i));
        }

        @Override
        public void close() {
            leases.revoke(lease);
            lent.takeBack(from);
            sources.close();
            targets.close();
        }
    }

    @Test
    void blocksThatTheAskerLendsAreFetchedAndTheApplicationIsTold() {
        peers.importBlockset(asker.blockset(), null);
        try (Move move = new Move()) {
            desk.listen((_, _) -> heard.add("all are there: " + move.isDone()));
            done(move.request());
            assertThat(heard).containsExactly("18446744073709551609: moved", "all are there: true");
            assertThat(leases.stats().writeLeases()).isOne();
        }
    }

    @Test
    void aListenerThatFailsDoesNotUndoTheMove() {
        peers.importBlockset(asker.blockset(), null);
        desk.listen((_, _) -> {
            throw new IllegalStateException("a listener");
        });
        try (Move move = new Move()) {
            done(move.request());
            assertThat(move.isDone()).isTrue();
        }
        assertThat(desk.failures()).isOne();
    }

    @Test
    void anAskerThatHasGivenUpAndAsksAgainWaitsUntilTheCopyThatItGaveUpHasEnded() {
        peers.importBlockset(asker.blockset(), null);
        try (Move move = new Move()) {
            PeerRequest.Pull first = move.request();
            beforeCopies.add(() -> {
                move.lendAnew(10);
                refused(Kind.BUSY, move.request());
                refused(Kind.BUSY, first);
            });
            refused(Kind.STALE_BLOCK, first);
            done(move.request());
            assertThat(move.isDone(10)).isTrue();
            refused(Kind.STALE_BLOCK, first);
            assertThat(move.isDone(10)).isTrue();
        }
        assertThat(heard).hasSize(1);
    }

    @Test
    void aRequestThatIsDeliveredTwiceIsCarriedOutOnceThoughTheSourcesChangeMeanwhile() {
        peers.importBlockset(asker.blockset(), null);
        try (Move move = new Move()) {
            PeerRequest.Pull request = move.request();
            done(request);
            beforeCopies.add(() -> move.lendAnew(10));
            done(request);
            assertThat(move.isDone()).isTrue();
            assertThat(beforeCopies).as("nothing is copied").hasSize(1);
        }
        assertThat(heard).hasSize(1);
    }

    // ---------------------------------------------------------------------------------------------- hear

    private static final String AGENT = Long.toUnsignedString(ASKER) + "." + ASKER_EPOCH + "#1";

    @Test
    void whatComesBehindTheBytesEndsTheWriteOnceAndTheApplicationIsTold() {
        try (BlockList<MutableBlock> targets = own.pool.allocateBlocks(2)) {
            WriteLease lease = leases.write(own.pool, targets, ASKER, Writer.ASKS, TIME);
            PeerRequest begin = new PeerRequest.BeginWrite(ASKER, EPOCH, 5, lease.number(), SET,
                    targets.stream().mapToInt(MutableBlock::index).toArray());
            byte[] end = ControlCodec.encode(new PeerRequest.EndWrite(ASKER, EPOCH, 5, "written"));
            done(begin);
            desk.heard("8.1#1", end);
            desk.heard("somebody", end);
            assertThat(heard).isEmpty();
            desk.heard(AGENT, end);
            desk.heard(AGENT, end);
            assertThat(heard).containsExactly("18446744073709551609: written");
            refused(Kind.NOT_MUTABLE, begin);
        }
        refused(Kind.STALE_EPOCH, new PeerRequest.BeginWrite(ASKER, EPOCH - 1, 6, 0, SET, new int[1]));
        refused(Kind.UNKNOWN_BLOCK_SET, new PeerRequest.BeginWrite(ASKER, EPOCH, 6, 0, SET + 1, new int[1]));
    }

    @Test
    void theEndOfALeaseToReadComesBehindTheBytes() {
        Reader.Known known = registered();
        PeerAnswer.Leased leased = (PeerAnswer.Leased) desk
                .ask(lease(EPOCH, SET, known.slots(), known.generations()));
        assertThat(expected).isOne();
        desk.heard(AGENT, ControlCodec.encode(new PeerRequest.EndLease(ASKER, EPOCH, leased.lease())));
        assertThat(leases.stats().readLeases()).isZero();
    }

    @Test
    void plainWordsOfAnAgentThatIsNamedByItsWorkerAreHeardAndNothingElseOfItsDoing() {
        desk.heard("77", "hello".getBytes(StandardCharsets.UTF_8));
        desk.heard("plain", "hello".getBytes(StandardCharsets.UTF_8));
        desk.heard("77", new byte[]{-1});
        desk.heard("77", new byte[5000]);
        desk.heard(AGENT, ControlCodec.encode(new PeerRequest.Notify(ASKER, "not on this way")));
        desk.heard(AGENT, Arrays.copyOf(ControlCodec.encode(new PeerRequest.Notify(ASKER, "cut")), 15));
        assertThat(heard).containsExactly("77: hello");
        assertThat(desk.failures()).isZero();
    }

    @Test
    void whatIsNotExportedNotLeasedOrNotOfThisLifeIsNotFetched() {
        try (Move move = new Move()) {
            refused(Kind.UNKNOWN_WORKER, move.request());
            peers.importBlockset(asker.blockset(), null);
            refused(Kind.STALE_EPOCH, move.request(ASKER_EPOCH, EPOCH - 1, SET, move.from, SET));
            refused(Kind.STALE_EPOCH, move.request(ASKER_EPOCH + 1, EPOCH, SET, move.from, SET));
            refused(Kind.UNKNOWN_BLOCK_SET, move.request(ASKER_EPOCH, EPOCH, SET + 1, move.from, SET));
            refused(Kind.INDEX_OUT_OF_RANGE,
                    move.request(ASKER_EPOCH, EPOCH, SET, new int[]{move.from[0], BLOCKS}, SET));
            refused(Kind.NOT_MUTABLE, move.request(ASKER_EPOCH, EPOCH, SET, move.from, SET + 1));
            lent.takeBack(move.from);
            refused(Kind.STALE_BLOCK, move.request());
            move.loans[0] = lent.lend(move.from)[0];
            refused(Kind.STALE_BLOCK, move.request());
            leases.revoke(move.lease);
            refused(Kind.NOT_MUTABLE, move.request());
        }
        assertThat(heard).isEmpty();
        assertThat(desk.failures()).isZero();
    }

    /** The level of the sources is one that this worker does not have, so that its import was not refused. */
    @Test
    void blocksOfAnotherShapeAreNotFetched() {
        try (SharedPool other = SharedPool.of(ASKER, ASKER_EPOCH, SharedPool.blocks(BLOCKS, 32),
                LayoutType.FULLY_CONTIGUOUS); Move move = new Move()) {
            ExportedLevel level = other.blockset().levels().getFirst();
            peers.importBlockset(new Blockset(ASKER, ASKER_EPOCH, null,
                    List.of(new ExportedLevel(SET, CacheLevel.G3, level.layoutType(), level.layout(), level.memory(),
                            level.shared())),
                    new byte[0]), null);
            refused(Kind.GEOMETRY, move.request());
        }
        assertThat(desk.failures()).isZero();
    }
}
