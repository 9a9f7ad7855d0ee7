package io.kvbm.remote;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.ContentFingerprint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

@EnabledOnOs(OS.LINUX)
class PeersTest {

    private static final int BLOCKS = 4;
    private static final int SET = SharedPool.SET;
    private static final long OURS = 1;
    private static final long WORKER = -7; // unsigned
    private static final LayoutConfig SHAPE = SharedPool.blocks(BLOCKS, 16);
    private static final Duration LINGER = Duration.ofSeconds(5);
    private static final Duration NANO = Duration.ofNanos(1);
    private static final PeerLink LINK = _ -> new PeerAnswer.Done();

    private final ManualClock clock = new ManualClock();
    private final List<SharedPool> workers = new ArrayList<>();
    private final Peers peers = new Peers(
            new LocalWorker(OURS, 1, SharedPool.FINGERPRINT, Map.of(CacheLevel.G2, SHAPE)),
            new PeerLimits(2, 8, 3, LINGER, LINGER, LINGER, LINGER), clock, PeerMemory.sameHost(ChecksumMode.OFF));

    @AfterEach
    void close() {
        peers.close();
        workers.forEach(SharedPool::close);
    }

    private SharedPool worker(long id, long epoch) {
        SharedPool worker = SharedPool.of(id, epoch, SHAPE, LayoutType.FULLY_CONTIGUOUS);
        workers.add(worker);
        return worker;
    }

    private Peer imported(SharedPool worker) {
        return peers.importBlockset(worker.blockset(), LINK);
    }

    private static Blockset exported(long worker, long epoch, @Nullable ContentFingerprint fingerprint,
            LayoutConfig shape) {
        return new Blockset(worker, epoch, fingerprint, List.of(Exports.level(SET, shape,
                LayoutType.FULLY_CONTIGUOUS, Exports.SYSTEM, 1 << 20, null)), new byte[0]);
    }

    private static Blockset exported(long worker, long epoch) {
        return exported(worker, epoch, SharedPool.FINGERPRINT, SHAPE);
    }

    /** Whatever is refused, all that is known stays as it is and nothing stays mapped. */
    private void refused(Kind kind, Blockset blockset) {
        List<Peer> before = peers.all();
        List<PeerState> states = before.stream().map(Peer::state).toList();
        int leaving = peers.leaving();
        Refused.with(kind, () -> peers.importBlockset(blockset, LINK));
        assertThat(peers.all()).isEqualTo(before);
        assertThat(peers.all()).extracting(Peer::state).isEqualTo(states);
        assertThat(peers.leaving()).isEqualTo(leaving);
    }

    // ---------------------------------------------------------------------------------------------- import

    @Test
    void aWorkerIsKnownByWhatItExports() {
        SharedPool worker = worker(WORKER, -2);
        Peer peer = imported(worker);
        assertThat(peers.all()).containsExactly(peer);
        assertThat(peers.peer(WORKER)).contains(peer);
        assertThat(peer.workerId()).isEqualTo(WORKER);
        assertThat(peer.epoch()).isEqualTo(-2);
        assertThat(peer.blockset()).isEqualTo(worker.blockset());
        assertThat(peer.digest()).isEqualTo(BlocksetCodec.digest(BlocksetCodec.encode(worker.blockset())));
        assertThat(peer.hits()).isTrue();
        assertThat(peer.isMapped()).isTrue();
        assertThat(peer.state()).isEqualTo(PeerState.LIVE);
        assertThat(peer).hasToString("worker 18446744073709551609 of epoch 18446744073709551614");
    }

    @Test
    void aWorkerThatSharesNothingWithThisHostIsKnownAllTheSame() {
        assertThat(peers.importBlockset(exported(WORKER, 1), null).isMapped()).isFalse();
    }

    @Test
    void theSameExportAgainChangesNothing() {
        SharedPool worker = worker(WORKER, 1);
        Set<String> files = Mappings.files(worker);
        Peer peer = imported(worker);
        peers.leave(WORKER);
        peers.advance();
        assertThat(peer.state()).isEqualTo(PeerState.LINGER);
        assertThat(imported(worker)).isSameAs(peer);
        assertThat(peers.importBlockset(worker.blockset(), null)).isSameAs(peer);
        assertThat(peer.state()).as("it is back").isEqualTo(PeerState.LIVE);
        assertThat(peers.leaving()).isZero();
        assertThat(Mappings.readers(files)).isEqualTo(2);
    }

    @Test
    void aWayToAskThatIsGivenLaterIsTaken() {
        Peer mute = peers.importBlockset(exported(WORKER, 1), null);
        Refused.with(Kind.TRANSPORT, () -> mute.order(new PeerRequest.Notify(OURS, "text"), 0));
        peers.importBlockset(exported(WORKER, 1), LINK).order(new PeerRequest.Notify(OURS, "text"), 0);
        assertThat(peers.peer(WORKER)).hasValueSatisfying(peer -> assertThat(peer.isReachedBy(LINK)).isTrue());
    }

    @Test
    void thisWorkerIsNoPeerOfItself() {
        refused(Kind.OWN_WORKER, exported(OURS, 1));
        refused(Kind.OWN_WORKER, exported(OURS, 2));
    }

    @Test
    void anOlderLifeIsRefusedByUnsignedOrder() {
        peers.importBlockset(exported(WORKER, -1), LINK);
        refused(Kind.STALE_EPOCH, exported(WORKER, 5));
        refused(Kind.STALE_EPOCH, exported(WORKER, -2));
        peers.importBlockset(exported(2, 5), LINK);
        assertThat(peers.importBlockset(exported(2, -1), LINK).epoch()).isEqualTo(-1);
    }

    @Test
    void whatTheWorkerItselfSaysCountsThoughItIsOlder() {
        peers.importBlockset(exported(WORKER, 9), LINK);
        Peer older = peers.replace(exported(WORKER, 5), "digest", LINK);
        assertThat(peers.all()).containsExactly(older);
        assertThat(older.digest()).isEqualTo("digest");
        assertThat(peers.leaving()).isOne();
    }

    static Stream<UnaryOperator<LayoutConfig.Builder>> shapes() {
        return Stream.of(shape -> shape.numLayers(2), shape -> shape.outerDim(2), shape -> shape.pageSize(8),
                shape -> shape.innerDim(16), shape -> shape.dtype(DType.I8));
    }

    private static LayoutConfig.Builder ours() {
        return LayoutConfig.builder()
                .numBlocks(BLOCKS)
                .numLayers(1)
                .pageSize(SharedPool.PAGE)
                .innerDim(SHAPE.innerDim())
                .dtype(DType.U8);
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void blocksOfAnotherShapeAreRefused(UnaryOperator<LayoutConfig.Builder> other) {
        peers.importBlockset(exported(WORKER, 1), LINK);
        LayoutConfig shape = other.apply(ours()).build();
        refused(Kind.GEOMETRY, exported(2, 1, SharedPool.FINGERPRINT, shape));
        refused(Kind.GEOMETRY, exported(WORKER, 2, SharedPool.FINGERPRINT, shape));
    }

    @Test
    void otherNumbersOfBlocksAndAlignmentsAreFine() {
        LayoutConfig shape = ours().numBlocks(9).alignment(4096).build();
        assertThat(peers.importBlockset(exported(WORKER, 1, null, shape), LINK).blockset().levels()).hasSize(1);
    }

    @Test
    void soManyWorkersAreKnown() {
        peers.importBlockset(exported(WORKER, 1), LINK);
        peers.importBlockset(exported(2, 1), LINK);
        refused(Kind.LIMIT, exported(3, 1));
        peers.importBlockset(exported(2, 2), LINK);
        peers.remove(WORKER);
        peers.importBlockset(exported(3, 1), LINK);
        assertThat(peers.all()).extracting(Peer::workerId).containsExactlyInAnyOrder(2L, 3L);
    }

    @Test
    void memoryThatIsNotWhatWasToldOfItIsRefusedAndNothingOfItStaysMapped() {
        SharedPool worker = worker(WORKER, 1);
        Set<String> files = Mappings.files(worker);
        Peer before = imported(worker);
        Blockset told = worker.blockset();
        SharedMemoryAddress right = Optional.ofNullable(told.levels().getFirst().shared()).orElseThrow();
        ExportedLevel level = told.levels().getFirst();
        SharedMemoryAddress wrong = new SharedMemoryAddress(right.pid(), right.nonceHigh(), right.nonceLow(),
                right.boardDescriptor(), List.of(worker(2, 1).board.memoryDescriptors().getFirst()));
        refused(Kind.TRANSPORT, new Blockset(WORKER, 1, SharedPool.FINGERPRINT, List.of(new ExportedLevel(SET,
                level.level(), level.layoutType(), level.layout(), level.memory(), wrong)), new byte[0]));
        refused(Kind.TRANSPORT, new Blockset(WORKER, 2, told.fingerprint(), told.levels(), new byte[0]));
        assertThat(peers.peer(WORKER)).contains(before);
        assertThat(Mappings.readers(files)).isEqualTo(2);
    }

    @Test
    void aLaterLifeTakesThePlaceOfTheOlderOneWhoseMemoryGoesWhenNothingRuns() {
        SharedPool first = worker(WORKER, 1);
        Set<String> files = Mappings.files(first);
        Peer old = imported(first);
        old.begin(3);
        Peer next = imported(worker(WORKER, 2));
        assertThat(peers.all()).containsExactly(next);
        assertThat(old.state()).isEqualTo(PeerState.DRAINING);
        clock.pass(Duration.ofHours(1));
        peers.advance();
        assertThat(peers.leaving()).isOne();
        assertThat(Mappings.readers(files)).isEqualTo(2);
        old.end(3, true);
        peers.advance();
        clock.pass(LINGER.minus(NANO));
        peers.advance();
        assertThat(old.state()).isEqualTo(PeerState.LINGER);
        assertThat(Mappings.readers(files)).isEqualTo(2);
        clock.pass(NANO);
        peers.advance();
        assertThat(old.state()).isEqualTo(PeerState.GONE);
        assertThat(peers.leaving()).isZero();
        assertThat(Mappings.readers(files)).isZero();
        assertThat(next.state()).isEqualTo(PeerState.LIVE);
    }

    @Test
    void anotherExportOfTheSameLifeTakesThePlaceOfTheOneBefore() {
        Peer before = peers.importBlockset(exported(WORKER, 1), LINK);
        LayoutConfig more = ours().numBlocks(9).build();
        Peer after = peers.importBlockset(exported(WORKER, 1, SharedPool.FINGERPRINT, more), LINK);
        assertThat(after.digest()).isNotEqualTo(before.digest());
        assertThat(peers.all()).containsExactly(after);
        assertThat(before.state()).isEqualTo(PeerState.LINGER);
    }

    @Test
    void contentOfAnotherModelIsReachedByHandAndIsNeverAHit() {
        assertThat(peers.importBlockset(exported(WORKER, 1, Exports.fingerprint(), SHAPE), LINK).hits()).isFalse();
        assertThat(peers.importBlockset(exported(2, 1, null, SHAPE), LINK).hits()).isFalse();
        assertThat(peers.mutable(list(WORKER, SET, "Mutable", 3))).hasSize(1);
        assertThat(peers.immutable(list(2, SET, "Immutable", 3))).hasSize(1);
    }

    // ---------------------------------------------------------------------------------------------- leave

    @Test
    void aWorkerThatLeavesGoesStepByStepAndMayComeBackOnTheWay() {
        SharedPool worker = worker(WORKER, 1);
        Set<String> files = Mappings.files(worker);
        Peer peer = imported(worker);
        peer.begin(1);
        peers.leave(WORKER);
        peers.advance();
        assertThat(peer.state()).isEqualTo(PeerState.DRAINING);
        peers.returned(WORKER);
        assertThat(peer.state()).isEqualTo(PeerState.LIVE);
        peers.leave(WORKER);
        peer.end(1, true);
        peers.advance();
        assertThat(peer.state()).isEqualTo(PeerState.LINGER);
        peers.leave(WORKER);
        assertThat(peer.state()).isEqualTo(PeerState.LINGER);
        clock.pass(LINGER.minus(NANO));
        peers.advance();
        peers.returned(WORKER);
        assertThat(peer.state()).isEqualTo(PeerState.LIVE);
        clock.pass(LINGER);
        peers.advance();
        assertThat(peer.state()).isEqualTo(PeerState.LIVE);
        assertThat(Mappings.readers(files)).isEqualTo(2);
        peers.leave(WORKER);
        peers.advance();
        clock.pass(LINGER);
        peers.advance();
        assertThat(peer.state()).isEqualTo(PeerState.GONE);
        assertThat(peers.all()).isEmpty();
        assertThat(Mappings.readers(files)).isZero();
    }

    @Test
    void aWorkerThatIsForgottenIsUnknownAtOnceAndUnmappedSoon() {
        SharedPool worker = worker(WORKER, 1);
        Set<String> files = Mappings.files(worker);
        Peer peer = imported(worker);
        peers.remove(2);
        peers.remove(WORKER);
        assertThat(peers.peer(WORKER)).isEmpty();
        assertThat(peer.state()).isEqualTo(PeerState.LINGER);
        Refused.with(Kind.UNKNOWN_WORKER, () -> peers.immutable(list(WORKER, SET, "Immutable", 0)));
        clock.pass(LINGER);
        peers.advance();
        assertThat(Mappings.readers(files)).isZero();
        assertThat(imported(worker)).isNotSameAs(peer);
    }

    @Test
    void atTheEndTheMemoryOfAWorkerGoesAsSoonAsNothingRunsWithIt() {
        SharedPool idle = worker(WORKER, 1);
        SharedPool busy = worker(2, 1);
        Set<String> idleFiles = Mappings.files(idle);
        Set<String> busyFiles = Mappings.files(busy);
        imported(idle);
        Peer read = imported(busy);
        read.begin(1);
        peers.close();
        assertThat(peers.all()).isEmpty();
        assertThat(Mappings.readers(idleFiles)).isZero();
        assertThat(Mappings.readers(busyFiles)).isEqualTo(2);
        read.end(1, true);
        assertThat(Mappings.readers(busyFiles)).isZero();
        assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> imported(idle))
                .withMessageContaining("learns of nobody any more");
        assertThat(Mappings.readers(idleFiles)).isZero();
    }

    // ---------------------------------------------------------------------------------------------- blocks

    private static BlockDescriptorList list(long worker, int set, String mutability, int... slots) {
        return BlockDescriptorList.fromJson("{\"worker_id\":" + Long.toUnsignedString(worker) + ",\"block_set_idx\":"
                + set + ",\"mutability\":\"" + mutability + "\",\"block_indices\":"
                + IntStream.of(slots).boxed().toList() + "}");
    }

    @Test
    void blocksAreFoundInTheOrderInWhichTheyAreNamedAndAsOftenAsTheyAre() {
        peers.importBlockset(exported(WORKER, -3), LINK);
        List<RemoteBlock> blocks = peers.immutable(list(WORKER, SET, "Mutable", 3, 0, 3));
        assertThat(blocks).extracting(RemoteBlock::index).containsExactly(3, 0, 3);
        assertThat(blocks).allSatisfy(block -> {
            assertThat(block.id().workerId()).isEqualTo(WORKER);
            assertThat(block.id().blockSet()).isEqualTo(SET);
            assertThat(block.epoch()).isEqualTo(-3);
            assertThat(block.isMutable()).isFalse();
            assertThat(block.generation()).isEqualTo(OptionalLong.empty());
            assertThat(block.layout().config()).isEqualTo(SHAPE);
            assertThat(block.storageType()).isEqualTo(Exports.SYSTEM);
        });
        assertThat(peers.mutable(list(WORKER, SET, "Mutable", 1))).allMatch(RemoteBlock::isMutable);
    }

    @Test
    void blocksThatAreNotThereAreNotNamed() {
        peers.importBlockset(exported(WORKER, -3), LINK);
        Refused.with(Kind.UNKNOWN_WORKER, () -> peers.immutable(list(2, SET, "Immutable", 0)));
        Refused.with(Kind.UNKNOWN_BLOCK_SET, () -> peers.immutable(list(WORKER, SET + 1, "Immutable", 0)));
        Refused.with(Kind.INDEX_OUT_OF_RANGE, () -> peers.immutable(list(WORKER, SET, "Immutable", 0, BLOCKS)));
        Refused.with(Kind.NOT_MUTABLE, () -> peers.mutable(list(WORKER, SET, "Immutable", 0)));
        BlockDescriptorList list = list(WORKER, SET, "Mutable", 0);
        Refused.with(Kind.STALE_EPOCH, () -> peers.mutable(list.withEpoch(-4)));
        Refused.with(Kind.STALE_EPOCH, () -> peers.mutable(list.withEpoch(-2)));
        assertThat(peers.mutable(list.withEpoch(-3))).hasSize(1);
    }
}
