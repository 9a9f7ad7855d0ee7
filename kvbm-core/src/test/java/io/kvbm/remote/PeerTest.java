package io.kvbm.remote;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.PinList;
import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.TransferControl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

@EnabledOnOs(OS.LINUX)
class PeerTest {

    private static final int BLOCKS = 4;
    private static final Duration PAUSE = Duration.ofSeconds(30);
    private static final Duration SHORT = Duration.ofSeconds(1);
    private static final Duration LINGER = Duration.ofSeconds(5);

    /** Four blocks in flight, two failures. */
    private static final PeerLimits LIMITS = new PeerLimits(1, 4, 2, Duration.ofSeconds(10), PAUSE, PAUSE, LINGER);
    private static final PeerRequest NOTIFY = new PeerRequest.Notify(1, "text");

    private final ManualClock clock = new ManualClock();
    private final SharedPool owner = SharedPool.of(7, 1, BLOCKS, 16);
    private final SharedPool reader = SharedPool.of(1, 1, BLOCKS, 16);
    private final List<PeerRequest> asked = new ArrayList<>();
    private final TransferControl control = new TransferControl(clock, PAUSE);
    private PeerLink link = _ -> new PeerAnswer.Done();
    private final Peer peer = peer(owner.blockset(), request -> {
        asked.add(request);
        return link.ask(request);
    });

    @AfterEach
    void close() {
        peer.release();
        assertThat(owner.pool.stats().holders() + reader.pool.stats().holders()).isZero();
        owner.close();
        reader.close();
    }

    private Peer peer(Blockset blockset, @Nullable PeerLink way) {
        Optional<PeerMemory> memory = PeerMemory.sameHost(ChecksumMode.FULL).open(blockset);
        return new Peer(blockset, "digest", true, memory.orElse(null), null, way, LIMITS, clock, new PeerCounters());
    }

    private ReadResult read(Wanted wanted) {
        try (BlockList<MutableBlock> own = reader.pool.allocateBlocks(wanted.size());
                PinList pins = PinList.of(own)) {
            return peer.copy(SharedPool.SET, wanted, pins, control);
        }
    }

    private static RemoteException deadline() {
        return new RemoteException(Kind.DEADLINE, "no answer");
    }

    private void fail() {
        link = _ -> {
            throw deadline();
        };
        Refused.with(Kind.DEADLINE, () -> peer.order(NOTIFY, 0));
    }

    // ---------------------------------------------------------------------------------------------- begin

    @Test
    void soManyBlocksAreUnderWayAtOnce() {
        peer.begin(3);
        Refused.with(Kind.BUSY, () -> peer.begin(2));
        Refused.with(Kind.BUSY, () -> peer.begin(Integer.MAX_VALUE));
        Refused.with(Kind.BUSY, () -> peer.order(NOTIFY, 2));
        Refused.with(Kind.BUSY, () -> read(new Wanted.Anything(new int[2])));
        assertThat(peer.blocksInFlight()).isEqualTo(3);
        peer.begin(1);
        peer.end(3, true);
        peer.begin(3);
        peer.end(3, true);
        peer.end(1, true);
        assertThat(peer.blocksInFlight()).isZero();
        assertThat(peer.isPaused()).as("being busy is no failure").isFalse();
        assertThat(asked).isEmpty();
    }

    @Test
    void aPeerThatFailsIsLeftAloneForAWhile() {
        fail();
        assertThat(peer.isPaused()).isFalse();
        fail();
        assertThat(peer.isPaused()).isTrue();
        assertThat(peer.blocksInFlight()).isZero();
        Refused.with(Kind.TRANSPORT, () -> peer.order(NOTIFY, 1));
        Refused.with(Kind.TRANSPORT, () -> read(new Wanted.Anything(new int[1])));
        assertThat(asked).hasSize(2);
        clock.pass(PAUSE);
        link = _ -> new PeerAnswer.Done();
        peer.order(NOTIFY, 1);
        assertThat(peer.isPaused()).isFalse();
    }

    @Test
    void aPeerThatIsTooBusyInThePauseKeepsItsOneAttempt() {
        fail();
        fail();
        clock.pass(PAUSE);
        Refused.with(Kind.BUSY, () -> peer.begin(5));
        peer.begin(1);
        peer.end(1, true);
        assertThat(peer.isPaused()).isFalse();
    }

    @ParameterizedTest
    @EnumSource(value = PeerState.class, names = "LIVE", mode = EnumSource.Mode.EXCLUDE)
    void aPeerThatLeavesIsAskedForNothingNew(PeerState state) {
        peer.begin(1);
        peer.leave();
        if (state != PeerState.DRAINING) {
            peer.end(1, true);
            assertThat(peer.advance()).isFalse();
        }
        if (state == PeerState.GONE) {
            clock.pass(LINGER);
            assertThat(peer.advance()).isTrue();
        }
        assertThat(peer.state()).isEqualTo(state);
        Refused.with(Kind.DRAINING, () -> peer.begin(1));
        Refused.with(Kind.DRAINING, () -> peer.order(NOTIFY, 0));
        Refused.with(Kind.DRAINING, () -> read(new Wanted.Anything(new int[1])));
        assertThat(asked).isEmpty();
    }

    @Test
    void whatIsGoneDoesNotComeBack() {
        peer.release();
        peer.release();
        peer.returned();
        peer.leave();
        assertThat(peer.state()).isEqualTo(PeerState.GONE);
    }

    // ---------------------------------------------------------------------------------------------- order

    @Test
    void anOrderThatIsDoneIsCountedWhileItRunsOnly() {
        link = _ -> {
            assertThat(peer.blocksInFlight()).isEqualTo(4);
            return new PeerAnswer.Done();
        };
        peer.order(NOTIFY, 4);
        assertThat(asked).containsExactly(NOTIFY);
        assertThat(peer.blocksInFlight()).isZero();
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    void whatThePeerRefusesIsRefusedForItsReasonAndIsNoFailureOfThePeer(Kind kind) {
        link = _ -> new PeerAnswer.Refused(kind, "its reason");
        for (int i = 0; i < 3; i++) {
            assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> peer.order(NOTIFY, 1))
                    .withMessage("worker 7 of epoch 1 refused: its reason")
                    .extracting(RemoteException::kind)
                    .isEqualTo(kind);
        }
        assertThat(peer.isPaused()).isFalse();
        assertThat(peer.blocksInFlight()).isZero();
    }

    @Test
    void anAnswerToAnotherQuestionIsRefused() {
        link = _ -> new PeerAnswer.Leased(0, new int[0], PAUSE);
        Refused.with(Kind.MALFORMED, () -> peer.order(NOTIFY, 1));
        assertThat(peer.blocksInFlight()).isZero();
    }

    @Test
    void aPeerWithoutAWayToItIsNotAsked() {
        Peer mute = peer(Exports.of(Exports.level(1)), null);
        Refused.with(Kind.TRANSPORT, () -> mute.order(NOTIFY, 1));
        assertThat(mute.isReached()).isFalse();
        assertThat(mute.blocksInFlight()).isZero();
    }

    // ---------------------------------------------------------------------------------------------- read

    private Reader.Known registered() {
        IdentityChain chain = SharedPool.chain(1, 3);
        try (BlockList<ImmutableBlock> registered = owner.register(chain, 0, 3)) {
            return Reader.known(registered, chain, 0);
        }
    }

    /** States checksums of which one may be wrong. */
    private void state(Reader.Known known, int wrong) {
        for (int i = 0; i < known.size(); i++) {
            owner.board.checksum(known.slots()[i], known.generations()[i],
                    checksum(known.slots()[i]) + (i == wrong ? 1 : 0));
        }
    }

    private int checksum(int slot) {
        CRC32C crc = new CRC32C();
        crc.update(owner.memory.block(slot).asByteBuffer());
        return (int) crc.getValue();
    }

    @Test
    void whatIsReadIsCountedAndWhyItEndedEarly() {
        Reader.Known known = registered();
        state(known, -1);
        assertThat(read(known.wanted())).isEqualTo(new ReadResult(3, ReadOutcome.TAKEN));
        known.generations()[1]++;
        assertThat(read(known.wanted())).isEqualTo(new ReadResult(1, ReadOutcome.STALE));
        PeerStats stats = peer.stats();
        assertThat(stats.blocksRead()).isEqualTo(4);
        assertThat(stats.bytesRead()).isEqualTo(4 * 16 * Long.BYTES);
        assertThat(stats.misses()).containsEntry(ReadOutcome.STALE, 1L).containsEntry(ReadOutcome.TORN, 0L);
        assertThat(peer.blocksInFlight()).isZero();
    }

    @Test
    void aPeerWhoseBytesAreNotThoseItStatesIsLeftAlone() {
        Reader.Known known = registered();
        state(known, 1);
        assertThat(read(known.wanted())).isEqualTo(new ReadResult(1, ReadOutcome.CORRUPT));
        assertThat(read(known.wanted())).isEqualTo(new ReadResult(1, ReadOutcome.CORRUPT));
        assertThat(peer.isPaused()).isTrue();
        assertThat(peer.stats().misses()).containsEntry(ReadOutcome.CORRUPT, 2L);
    }

    @Test
    void aPeerThatReusesItsBlocksIsNotLeftAlone() {
        Reader.Known known = registered();
        owner.reuseAll();
        for (int i = 0; i < 3; i++) {
            assertThat(read(known.wanted())).isEqualTo(new ReadResult(0, ReadOutcome.STALE));
        }
        assertThat(peer.isPaused()).isFalse();
    }

    @Test
    void memoryThatIsNotMappedIsNotRead() {
        Peer far = peer(Exports.of(Exports.level(SharedPool.SET)), null);
        Wanted none = new Wanted.Anything(new int[0]);
        Refused.with(Kind.TRANSPORT, () -> far.read(SharedPool.SET, none, List.of(), control));
        Refused.with(Kind.TRANSPORT, () -> peer.copy(SharedPool.SET + 1, none, List.of(), control));
    }

    // ---------------------------------------------------------------------------------------------- elsewhere

    /** A worker whose memory is not mapped, which answers so, and so is read. */
    private Peer elsewhere(PeerAnswer answer, Runnable reading) {
        PeerLink way = request -> request instanceof PeerRequest.Lease ? answer : new PeerAnswer.Done();
        RemoteAccess access = new RemoteAccess() {
            @Override
            public Move read(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks) {
                return new Move() {
                    @Override
                    public void start(byte[] told, Runnable unmoved) {
                        reading.run();
                    }

                    @Override
                    public void await(TransferControl readControl) {
                        readControl.check();
                    }

                    @Override
                    public void close() {}
                };
            }

            @Override
            public Move write(BlockRanges to, int[] slots, BlockRanges from, List<? extends BlockHandle> blocks) {
                return read(to, slots, from, blocks);
            }

            @Override
            public void close() {}
        };
        return new Peer(owner.blockset(), "digest", true, null, new LeasedMemory(1, owner.blockset(), way, access,
                new OwnBlocks(List.of(reader.pool)), Runnable::run, () -> 1), way, LIMITS, clock, new PeerCounters());
    }

    private ReadResult read(Peer from) {
        try (BlockList<MutableBlock> own = reader.pool.allocateBlocks(1)) {
            return from.read(SharedPool.SET, new Wanted.Generations(new int[1], new long[1]), own,
                    new TransferControl(clock, SHORT));
        }
    }

    @Test
    void aWorkerElsewhereThatRefusesIsNotLeftAlone() {
        for (Kind kind : List.of(Kind.BUSY, Kind.DRAINING, Kind.STALE_EPOCH)) {
            Peer refusing = elsewhere(new PeerAnswer.Refused(kind, "not now"), () -> {});
            for (int i = 0; i < 5; i++) {
                Refused.with(kind, () -> read(refusing));
            }
            assertThat(refusing.isPaused()).isFalse();
        }
    }

    @Test
    void aWorkerElsewhereOfWhichNothingArrivesInTimeIsLeftAlone() {
        Peer slow = elsewhere(new PeerAnswer.Leased(1, new int[1], PAUSE), () -> clock.pass(SHORT));
        assertThat(read(slow).end()).isEqualTo(ReadOutcome.LATE);
        assertThat(read(slow).end()).isEqualTo(ReadOutcome.LATE);
        assertThat(slow.isPaused()).isTrue();
    }

    @Test
    void bytesOfAWorkerElsewhereThatAreNotThoseOfItsChecksumAreNotTaken() {
        Peer corrupt = elsewhere(new PeerAnswer.Leased(1, new int[]{77}, PAUSE), () -> {});
        assertThat(read(corrupt)).isEqualTo(new ReadResult(0, ReadOutcome.CORRUPT));
    }
}
