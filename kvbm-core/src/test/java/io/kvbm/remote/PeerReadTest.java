package io.kvbm.remote;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.error.RemoteException;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** The owner's pool and its reader are in one process; the reader maps the memory as one of another process would. */
@EnabledOnOs(OS.LINUX)
class PeerReadTest {

    private static final int BLOCKS = 8;
    private static final int WORDS = 16;
    private static final ReadStep FIRST = ReadStep.LOOK;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private ReadStep.Watcher watcher = ReadStep.Watcher.NONE;

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : opened.reversed()) {
            each.close();
        }
    }

    private <T extends AutoCloseable> T open(T each) {
        opened.add(each);
        return each;
    }

    private SharedPool owner(int blocks) {
        return open(SharedPool.of(7, 1, blocks, WORDS));
    }

    private Reader reader(SharedPool owner) {
        return open(new Reader(owner.blockset(), ChecksumMode.SAMPLED, step -> watcher.before(step)));
    }

    /** Lets something happen once, before a step. */
    private void before(ReadStep wanted, Runnable happening) {
        boolean[] done = new boolean[1];
        watcher = step -> {
            if (step == wanted && !done[0]) {
                done[0] = true;
                happening.run();
            }
        };
    }

    private static Reader.Known register(SharedPool owner, IdentityChain chain) {
        try (BlockList<ImmutableBlock> registered = owner.register(chain, 0, chain.size())) {
            return Reader.known(registered, chain, 0);
        }
    }

    private static ReadResult all(int blocks) {
        return new ReadResult(blocks, ReadOutcome.TAKEN);
    }

    @ParameterizedTest
    @EnumSource(IdentityKind.class)
    void blocksThatLieStillAreTaken(IdentityKind kind) {
        SharedPool owner = open(SharedPool.of(BLOCKS, kind));
        IdentityChain chain = SharedPool.chain(kind, 1, BLOCKS);
        Reader.Known known = register(owner, chain);
        Reader reader = reader(owner);
        assertThat(reader.read(known)).isEqualTo(all(BLOCKS));
        assertThat(reader.wrong(known, BLOCKS)).isZero();
        assertThat(reader.wrong(new Reader.Known(known.slots(), known.generations(), chain, 0), 1)).isZero();
    }

    @Test
    void aReadOfNothingTakesNothing() {
        SharedPool owner = owner(BLOCKS);
        Reader.Known none = new Reader.Known(new int[0], new long[0], SharedPool.chain(1, 1), 0);
        assertThat(reader(owner).read(none)).isEqualTo(all(0));
    }

    /** What an owner may do to content that somebody reads. */
    enum Deed {
        EVICT {
            @Override
            void to(SharedPool owner, IdentityChain chain) {
                owner.reuseAll();
            }
        },
        REUSE {
            @Override
            void to(SharedPool owner, IdentityChain chain) {
                register(owner, SharedPool.chain(99, BLOCKS));
            }
        },
        CLEAR {
            @Override
            void to(SharedPool owner, IdentityChain chain) {
                owner.pool.clear();
            }
        },
        REGISTER_THE_SAME_AGAIN {
            @Override
            void to(SharedPool owner, IdentityChain chain) {
                owner.reuseAll();
                register(owner, chain);
            }
        },
        CLOSE {
            @Override
            void to(SharedPool owner, IdentityChain chain) {
                owner.close();
            }
        };

        abstract void to(SharedPool owner, IdentityChain chain);
    }

    static Stream<Arguments> deedsBeforeSteps() {
        return Stream.of(Deed.values())
                .flatMap(deed -> Stream.of(ReadStep.values()).map(step -> Arguments.of(deed, step)));
    }

    @ParameterizedTest
    @MethodSource("deedsBeforeSteps")
    void whateverTheOwnerDoesBetweenTwoStepsIsSeen(Deed deed, ReadStep step) {
        SharedPool owner = owner(BLOCKS);
        IdentityChain chain = SharedPool.chain(1, BLOCKS);
        Reader.Known known = register(owner, chain);
        Reader reader = reader(owner);
        before(step, () -> deed.to(owner, chain));

        ReadResult result = reader.read(known);

        switch (step) {
            case LOOK -> assertThat(result).isEqualTo(new ReadResult(0, ReadOutcome.STALE));
            case COPY, FENCE, LOOK_AGAIN -> assertThat(result).isEqualTo(new ReadResult(0, ReadOutcome.TORN));
            case CHECKSUM -> {
                assertThat(result).isEqualTo(all(BLOCKS));
                assertThat(reader.wrong(known, BLOCKS)).isZero();
            }
        }
        watcher = ReadStep.Watcher.NONE;
        assertThat(reader.read(known)).isEqualTo(new ReadResult(0, ReadOutcome.STALE));
    }

    @ParameterizedTest
    @EnumSource(value = ReadStep.class, names = {"LOOK", "COPY", "FENCE", "LOOK_AGAIN"})
    void theBlocksBeforeThatWhichWasReusedAreTaken(ReadStep step) {
        SharedPool owner = owner(BLOCKS);
        IdentityChain chain = SharedPool.chain(1, BLOCKS);
        try (BlockList<ImmutableBlock> registered = owner.register(chain, 0, BLOCKS)) {
            Reader.Known known = Reader.known(registered, chain, 0);
            Reader reader = reader(owner);
            before(step, () -> {
                registered.get(5).close();
                owner.reuseAll();
            });
            ReadResult result = reader.read(known);
            assertThat(result.blocks()).isEqualTo(5);
            assertThat(result.end()).isEqualTo(step == FIRST ? ReadOutcome.STALE : ReadOutcome.TORN);
            assertThat(reader.wrong(known, 5)).isZero();
        }
    }

    @Test
    void aLongReadIsLookedAtPieceByPiece() {
        int blocks = 100;
        SharedPool owner = owner(blocks);
        IdentityChain chain = SharedPool.chain(1, blocks);
        Reader.Known known = register(owner, chain);
        Reader reader = reader(owner);
        List<ReadStep> steps = new ArrayList<>();
        watcher = steps::add;
        assertThat(reader.read(known)).isEqualTo(all(blocks));
        assertThat(steps).hasSize(4 * ReadStep.values().length).startsWith(ReadStep.values());
        int[] pieces = new int[1];
        watcher = step -> {
            if (step == ReadStep.FENCE && ++pieces[0] == 3) {
                owner.reuseAll();
            }
        };
        assertThat(reader.read(known)).isEqualTo(new ReadResult(64, ReadOutcome.TORN));
        assertThat(reader.wrong(known, 64)).isZero();
    }

    @Test
    void contentThatStaysHeldIsTakenWhateverElseIsReused() {
        SharedPool owner = owner(BLOCKS);
        IdentityChain chain = SharedPool.chain(1, 3);
        try (BlockList<ImmutableBlock> registered = owner.register(chain, 0, 3)) {
            Reader.Known known = Reader.known(registered, chain, 0);
            Reader reader = reader(owner);
            watcher = _ -> owner.reuseAll();
            for (int round = 0; round < 100; round++) {
                assertThat(reader.read(known)).isEqualTo(all(3));
                assertThat(reader.wrong(known, 3)).isZero();
            }
        }
    }

    @Test
    void contentThatIsClearedWhileHeldIsFoundNoMore() {
        SharedPool owner = owner(BLOCKS);
        IdentityChain chain = SharedPool.chain(1, 3);
        try (BlockList<ImmutableBlock> registered = owner.register(chain, 0, 3)) {
            Reader.Known known = Reader.known(registered, chain, 0);
            owner.pool.clear();
            assertThat(reader(owner).read(known)).isEqualTo(new ReadResult(0, ReadOutcome.STALE));
        }
    }

    @Test
    void aHandleOfContentThatWasClearedNamesNoLaterContentOfTheSlot() {
        SharedPool owner = owner(1);
        BlockList<ImmutableBlock> held = owner.register(SharedPool.chain(1, 1), 0, 1);
        owner.pool.clear();
        long named = held.getFirst().generation();
        held.close();
        register(owner, SharedPool.chain(2, 1));
        assertThat(reader(owner).read(new Wanted.Generations(new int[1], new long[]{named})))
                .isEqualTo(new ReadResult(0, ReadOutcome.STALE));
    }

    @Test
    void whatAnotherIdentityIsTakenForIsForeign() {
        SharedPool owner = owner(BLOCKS);
        IdentityChain chain = SharedPool.chain(1, BLOCKS);
        Reader.Known known = register(owner, chain);
        Reader reader = reader(owner);
        IdentityChain other = SharedPool.chain(2, BLOCKS);
        assertThat(reader.read(new Reader.Known(known.slots(), known.generations(), other, 0)))
                .isEqualTo(new ReadResult(0, ReadOutcome.FOREIGN));
        int[] swapped = known.slots().clone();
        swapped[2] = known.slots()[3];
        swapped[3] = known.slots()[2];
        assertThat(reader.read(new Reader.Known(swapped, known.generations(), chain, 0)))
                .isEqualTo(new ReadResult(2, ReadOutcome.FOREIGN));
        assertThat(reader.wrong(known, 2)).isZero();
    }

    @Test
    void contentThatGoesWhileItIsNamedIsNotCalledForeign() {
        SharedPool owner = owner(1);
        IdentityChain chain = SharedPool.chain(1, 1);
        Reader.Known known = register(owner, chain);
        Reader reader = reader(owner);
        before(ReadStep.COPY, () -> register(owner, SharedPool.chain(2, 1)));
        assertThat(reader.read(known)).isEqualTo(new ReadResult(0, ReadOutcome.TORN));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, BLOCKS, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void aSlotThatTheOwnerDoesNotHaveIsRefused(int slot) {
        SharedPool owner = owner(BLOCKS);
        Reader reader = reader(owner);
        IdentityChain chain = SharedPool.chain(1, 1);
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
                .isThrownBy(() -> reader.read(new Reader.Known(new int[]{slot}, new long[1], chain, 0)));
    }

    @Test
    void aWorkerThatWasStartedAnewIsAnotherOneThoughItHasTheSameNumber() {
        SharedPool first = owner(BLOCKS);
        IdentityChain chain = SharedPool.chain(1, BLOCKS);
        Reader.Known known = register(first, chain);
        Blockset old = first.blockset();
        Reader oldReader = reader(first);
        first.close();
        SharedPool second = open(SharedPool.of(7, 2, BLOCKS, WORDS));
        Reader.Known again = register(second, chain);

        assertThat(oldReader.read(known)).isEqualTo(new ReadResult(0, ReadOutcome.STALE));
        assertThat(PeerMemory.sameHost(ChecksumMode.SAMPLED).open(old)).isEmpty();
        assertThat(second.board.descriptor()).as("the old file's number is used again, so that the nonce is needed")
                .isEqualTo(shared(old).boardDescriptor());
        Reader newReader = reader(second);
        assertThat(newReader.read(again)).isEqualTo(all(BLOCKS));
        assertThat(newReader.wrong(again, BLOCKS)).isZero();
    }

    private static SharedMemoryAddress shared(Blockset blockset) {
        return Optional.ofNullable(blockset.levels().getFirst().shared()).orElseThrow();
    }

    private static Blockset with(Blockset blockset, long workerId, long epoch, SharedMemoryAddress shared) {
        ExportedLevel level = blockset.levels().getFirst();
        return new Blockset(workerId, epoch, blockset.fingerprint(), List.of(new ExportedLevel(level.blockSet(),
                level.level(), level.layoutType(), level.layout(), level.memory(), shared)), new byte[0]);
    }

    private static Optional<PeerMemory> map(Blockset blockset) {
        return PeerMemory.sameHost(ChecksumMode.SAMPLED).open(blockset);
    }

    private static void refused(Blockset blockset) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> map(blockset))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(RemoteException.Kind.TRANSPORT));
    }

    @Test
    void addressesThatDoNotLeadToTheBoardAreTakenForAnotherHost() {
        SharedPool owner = owner(BLOCKS);
        Blockset told = owner.blockset();
        SharedMemoryAddress right = shared(told);
        List<Integer> files = right.memoryDescriptors();
        for (SharedMemoryAddress wrong : List.of(
                new SharedMemoryAddress(right.pid(), right.nonceHigh(), right.nonceLow() + 1, right.boardDescriptor(),
                        files),
                new SharedMemoryAddress(right.pid(), right.nonceHigh(), right.nonceLow(), files.getFirst(),
                        List.of(right.boardDescriptor())),
                new SharedMemoryAddress(right.pid(), right.nonceHigh(), right.nonceLow(), 1 << 20, files),
                new SharedMemoryAddress(1, right.nonceHigh(), right.nonceLow(), right.boardDescriptor(), files),
                new SharedMemoryAddress(Integer.MAX_VALUE, right.nonceHigh(), right.nonceLow(),
                        right.boardDescriptor(), files))) {
            assertThat(map(with(told, 7, 1, wrong))).isEmpty();
        }
        assertThat(map(with(told, 7, 1, right))).hasValueSatisfying(PeerMemory::close);
    }

    @Test
    void aBoardOrMemoryThatIsNotWhatWasToldOfItIsRefused() {
        SharedPool owner = owner(BLOCKS);
        SharedPool other = owner(BLOCKS);
        Blockset told = owner.blockset();
        SharedMemoryAddress right = shared(told);
        refused(with(told, 8, 1, right));
        refused(with(told, 7, 2, right));
        for (int file : new int[]{1 << 20, shared(other.blockset()).memoryDescriptors().getFirst()}) {
            refused(with(told, 7, 1, new SharedMemoryAddress(right.pid(), right.nonceHigh(), right.nonceLow(),
                    right.boardDescriptor(), List.of(file))));
        }
        ExportedLevel level = told.levels().getFirst();
        refused(with(level, LayoutType.FULLY_CONTIGUOUS, SharedPool.blocks(BLOCKS + 1, WORDS), right));
        refused(with(level, LayoutType.FULLY_CONTIGUOUS, SharedPool.blocks(BLOCKS, 2 * WORDS), right));
    }

    /** The same memory, told of as if it were laid out otherwise and larger. */
    private static Blockset with(ExportedLevel level, LayoutType type, LayoutConfig config,
            SharedMemoryAddress shared) {
        ExportedMemory told = level.memory().getFirst();
        ExportedMemory run = new ExportedMemory(told.type(), told.address(), 16 * told.size(), told.baseOffset());
        return new Blockset(7, 1, null,
                List.of(new ExportedLevel(SharedPool.SET, CacheLevel.G2, type, config, List.of(run), shared)),
                new byte[0]);
    }

    static Stream<Arguments> layouts() {
        return Stream.of(LayoutType.values())
                .flatMap(type -> IntStream.of(1, 64, 4096, 1 << 16, 1 << 21)
                        .boxed()
                        .flatMap(alignment -> Stream.of(LayoutType.FULLY_CONTIGUOUS, LayoutType.LAYER_SEPARATE)
                                .map(to -> Arguments.of(type, alignment, to))));
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void blocksOfEveryLayoutAndAlignmentAreRead(LayoutType type, int alignment, LayoutType to) {
        LayoutConfig config = LayoutConfig.builder()
                .numBlocks(4)
                .numLayers(3)
                .outerDim(2)
                .pageSize(SharedPool.PAGE)
                .innerDim(10)
                .dtype(DType.U16)
                .alignment(alignment)
                .build();
        SharedPool owner = open(SharedPool.of(7, 1, config, type));
        IdentityChain chain = SharedPool.chain(1, 4);
        Reader.Known known = register(owner, chain);
        Reader reader = open(new Reader(owner.blockset(), ChecksumMode.FULL, ReadStep.Watcher.NONE, to));
        BlockChecksums checksums = new BlockChecksums(CacheLevel.G2, owner.memory, owner.board, ChecksumMode.FULL);
        assertThat(reader.read(known)).isEqualTo(new ReadResult(0, ReadOutcome.UNCHECKED));
        compute(checksums, owner, known);
        assertThat(reader.read(known)).isEqualTo(all(4));
        assertThat(reader.wrong(known, 4)).isZero();
    }

    @Test
    void aBlockOfAnotherShapeIsNotReadInto() {
        SharedPool owner = owner(BLOCKS);
        Reader.Known known = register(owner, SharedPool.chain(1, 1));
        Reader reader = reader(owner);
        for (int words : new int[]{WORDS / 2, WORDS * 2}) {
            Reader other = reader(open(SharedPool.of(8, 1, BLOCKS, words)));
            assertThatExceptionOfType(IllegalArgumentException.class)
                    .isThrownBy(() -> reader.level.read(known.wanted(), other.pins, () -> true));
        }
    }

    @ParameterizedTest
    @EnumSource(ReadStep.class)
    void aReadDuringWhichTheMemoryIsUnmappedIsToldSo(ReadStep step) {
        SharedPool owner = owner(BLOCKS);
        Reader.Known known = register(owner, SharedPool.chain(1, BLOCKS));
        Reader reader = reader(owner);
        before(step, reader.peer::close);
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> reader.read(known))
                .withMessageContaining("unmapped")
                .satisfies(e -> assertThat(e.kind()).isEqualTo(RemoteException.Kind.TRANSPORT));
    }

    @ParameterizedTest
    @ValueSource(ints = {WORDS, 1 << 14})
    void aReaderAtFullSpeedDoesNotKeepTheMemoryFromBeingUnmapped(int words) throws Exception {
        SharedPool owner = open(SharedPool.of(7, 1, BLOCKS, words));
        Reader.Known known = register(owner, SharedPool.chain(1, BLOCKS));
        for (int round = 0; round < 20; round++) {
            Reader reader = reader(owner);
            CountDownLatch reading = new CountDownLatch(1);
            FutureTask<RemoteException> reads = new FutureTask<>(() -> {
                try {
                    while (reader.read(known).end() == ReadOutcome.TAKEN) {
                        reading.countDown();
                    }
                    throw new IllegalStateException("not taken");
                } catch (RemoteException e) {
                    return e;
                }
            });
            Thread.ofPlatform().start(reads);
            reading.await();
            reader.peer.close();
            assertThat(reads.get(10, TimeUnit.SECONDS)).hasMessageContaining("unmapped");
        }
    }

    private static void compute(BlockChecksums checksums, SharedPool owner, Reader.Known known) {
        List<StoredBlock> stored = IntStream.range(0, known.size())
                .mapToObj(i -> new StoredBlock(0, 0, OptionalLong.empty(), i, known.identity(i),
                        known.slots()[i], known.generations()[i]))
                .toList();
        checksums.onEvents(0, List.of(
                new KvEvent.Stored(owner.pool.blocks().level(), SharedPool.PAGE, stored)));
    }
}
