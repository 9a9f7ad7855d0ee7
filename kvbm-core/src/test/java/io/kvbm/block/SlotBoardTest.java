package io.kvbm.block;

import java.util.List;
import java.util.stream.IntStream;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.block.SlotBoard.Nonce;
import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.storage.NullStorage;
import io.kvbm.storage.SharedMapping;
import io.kvbm.token.ContentFingerprint;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

@EnabledOnOs(OS.LINUX)
class SlotBoardTest {

    private static final int SLOTS = 5;
    private static final long WORKER = -7;
    private static final long EPOCH = 1_770_000_000_123L;
    private static final Nonce NONCE = new Nonce(0x1234_5678_9abc_def0L, -3);

    private final BlockSet blocks = new BlockSet(memory(2, true), 1, WORKER, CacheLevel.G2);
    private final SlotBoard board = SlotBoard.create(blocks, EPOCH, NONCE).orElseThrow();
    private final SharedMapping mapping = open(board.descriptor());

    @AfterEach
    void close() {
        mapping.close();
        board.close();
        blocks.memory.close();
    }

    private static BlockMemory memory(int layers, boolean shared) {
        LayoutConfig config = LayoutConfig.builder().numBlocks(SLOTS).numLayers(layers).pageSize(4).innerDim(8).build();
        return BlockMemory.allocate(config, LayoutType.LAYER_SEPARATE, HostAllocator.builder().shared(shared).build());
    }

    private static SharedMapping open(int descriptor) {
        return SharedMapping.open(ProcessHandle.current().pid(), descriptor);
    }

    private SlotBoardView view() {
        return SlotBoardView.of(mapping, WORKER, EPOCH, SLOTS);
    }

    private static IdentityChain chain(IdentityKind kind, int first) {
        IdentityChain chain = new IdentityChain(ContentFingerprint.ofBytes(new byte[ContentFingerprint.BYTES]), "",
                kind, 4);
        chain.extend(IntStream.range(first, first + 12).toArray(), 0, 12);
        return chain;
    }

    private static long[] words(IdentityChain chain, int block) {
        return IntStream.range(0, chain.words()).mapToLong(w -> chain.word(block, w)).toArray();
    }

    private static void refused(Kind kind, String why, ThrowingCallable call) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(call)
                .withMessageContaining(why)
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    @ParameterizedTest
    @EnumSource(IdentityKind.class)
    void aReaderSeesWhatIsPublishedUntilItIsWithdrawn(IdentityKind kind) {
        SlotBoardView view = view();
        IdentityChain chain = chain(kind, 1);
        IdentityChain other = chain(kind, 2);
        assertThat(view.holds(3, 0)).isFalse();
        assertThat(view.registeredGeneration(3)).isEqualTo(-1);

        long[] around = new long[chain.words() + 2];
        System.arraycopy(words(chain, 1), 0, around, 1, chain.words());
        board.publish(3, 9, around, 1, chain.words());

        assertThat(view.holds(3, 9)).isTrue();
        assertThat(board.holds(3, 9)).isTrue();
        assertThat(view.registeredGeneration(3)).isEqualTo(9);
        assertThat(view.isNamed(3, chain, 1)).isTrue();
        assertThat(view.isNamed(3, chain, 0)).isFalse();
        assertThat(view.isNamed(3, other, 1)).isFalse();
        assertThat(view.holds(3, 8)).isFalse();
        assertThat(view.holds(3, 10)).isFalse();
        assertThat(view.holds(2, 9)).isFalse();
        assertThat(view.holds(4, 9)).isFalse();

        board.withdraw(3, 10);

        assertThat(view.holds(3, 9)).isFalse();
        assertThat(view.holds(3, 10)).isFalse();
        assertThat(board.holds(3, 9)).isFalse();
        assertThat(view.registeredGeneration(3)).isEqualTo(-1);
    }

    @Test
    void anIdentityOfOneWordIsNotTakenForAnotherOfFourThatStartsAlike() {
        IdentityChain digests = chain(IdentityKind.SHA256, 1);
        board.publish(0, 1, words(digests, 0), 0, 1);
        assertThat(view().isNamed(0, digests, 0)).isFalse();
        board.publish(0, 1, words(digests, 0), 0, 4);
        assertThat(view().isNamed(0, digests, 0)).isTrue();
        long[] longer = words(chain(IdentityKind.XXH3, 1), 0);
        board.publish(1, 1, new long[]{longer[0], 0, 0, 1}, 0, 4);
        assertThat(view().isNamed(1, chain(IdentityKind.XXH3, 1), 0)).isFalse();
    }

    @Test
    void generationsOfUpTo63BitsAreToldApart() {
        SlotBoardView view = view();
        for (long generation : new long[]{0, 1, 1L << 31, 1L << 32, (1L << 37) - 1, Long.MAX_VALUE}) {
            board.publish(0, generation, new long[1], 0, 1);
            assertThat(view.holds(0, generation)).isTrue();
            assertThat(view.registeredGeneration(0)).isEqualTo(generation);
            assertThat(view.holds(0, generation ^ 1)).isFalse();
            assertThat(view.holds(0, generation ^ (1L << 32))).isFalse();
        }
    }

    @Test
    void aChecksumIsThatOfOneGeneration() {
        SlotBoardView view = view();
        assertThat(view.checksum(2, 0)).isEmpty();
        board.checksum(2, 5, -2);
        assertThat(view.checksum(2, 5)).hasValue(-2);
        assertThat(view.checksum(2, 4)).isEmpty();
        assertThat(view.checksum(1, 5)).isEmpty();
        board.checksum(2, 6, 0);
        assertThat(view.checksum(2, 6)).hasValue(0);
        assertThat(view.checksum(2, 5)).isEmpty();
    }

    @Test
    void aLoanIsSeenUntilItIsTakenBack() {
        SlotBoardView view = view();
        assertThat(view.isLent(4, 0)).isFalse();
        board.lend(4, 77);
        assertThat(view.isLent(4, 77)).isTrue();
        assertThat(view.isLent(4, 76)).isFalse();
        assertThat(view.isLent(3, 77)).isFalse();
        board.takeBack(4);
        assertThat(view.isLent(4, 77)).isFalse();
        assertThat(view.isLent(4, 0)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, SLOTS, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void slotsOutsideOfTheBoardAreRefused(int slot) {
        SlotBoardView view = view();
        assertThat(view.slots()).isEqualTo(SLOTS);
        IdentityChain chain = chain(IdentityKind.XXH3, 1);
        for (ThrowingCallable call : List.<ThrowingCallable>of(() -> view.holds(slot, 0),
                () -> view.isNamed(slot, chain, 0), () -> view.isLent(slot, 1), () -> view.checksum(slot, 0),
                () -> view.registeredGeneration(slot), () -> board.holds(slot, 0), () -> board.withdraw(slot, 1),
                () -> board.publish(slot, 0, new long[1], 0, 1), () -> board.checksum(slot, 0, 1),
                () -> board.lend(slot, 1), () -> board.takeBack(slot))) {
            assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(call);
        }
    }

    @Test
    void onlyTheRightNumberProvesABoard() {
        assertThat(SlotBoardView.isBoard(mapping, NONCE)).isTrue();
        assertThat(SlotBoardView.isBoard(mapping, new Nonce(NONCE.high(), NONCE.low() + 1))).isFalse();
        assertThat(SlotBoardView.isBoard(mapping, new Nonce(NONCE.high() ^ 1L << 63, NONCE.low()))).isFalse();
        assertThat(SlotBoardView.isBoard(mapping, new Nonce(NONCE.low(), NONCE.high()))).isFalse();
        try (HostStorage zeroes = HostAllocator.create().allocate(8192);
                HostStorage small = HostAllocator.create().allocate(8);
                SharedMapping noBoard = open(zeroes.fileDescriptor().orElseThrow());
                SharedMapping tooSmall = open(small.fileDescriptor().orElseThrow())) {
            assertThat(SlotBoardView.isBoard(noBoard, NONCE)).isFalse();
            assertThat(SlotBoardView.isBoard(noBoard, new Nonce(0, 0))).isFalse();
            assertThat(SlotBoardView.isBoard(tooSmall, NONCE)).isFalse();
        }
    }

    @Test
    void aBoardOfAnotherWorkerEpochOrSizeIsRefused() {
        assertThat(view().slots()).isEqualTo(SLOTS);
        refused(Kind.TRANSPORT, "worker", () -> SlotBoardView.of(mapping, 7, EPOCH, SLOTS));
        refused(Kind.TRANSPORT, "epoch", () -> SlotBoardView.of(mapping, WORKER, EPOCH + 1, SLOTS));
        refused(Kind.TRANSPORT, "slots", () -> SlotBoardView.of(mapping, WORKER, EPOCH, SLOTS - 1));
        refused(Kind.TRANSPORT, "slots", () -> SlotBoardView.of(mapping, WORKER, EPOCH, SLOTS + 1));
    }

    @ParameterizedTest
    @CsvSource({"8, 2, UNSUPPORTED_VERSION", "8, 0, UNSUPPORTED_VERSION", "16, 1, TRANSPORT", "24, 1, TRANSPORT",
        "48, 6, TRANSPORT", "48, 4294967301, TRANSPORT", "48, -1, TRANSPORT", "56, 0, TRANSPORT", "56, -1, TRANSPORT",
        "56, 253, TRANSPORT", "56, 4294967297, TRANSPORT", "56, 9223372036854775807, TRANSPORT"})
    void aBoardWhoseFirstPageLiesIsRefused(long at, long value, Kind kind) {
        BoardFormat.LONG.set(board.board, at, value);
        refused(kind, "", () -> view());
    }

    @Test
    void aBoardThatIsShorterThanItsSlotsIsRefused() {
        long needed = BoardFormat.bytes(SLOTS, 2);
        for (long size : new long[]{BoardFormat.headerBytes(2), needed - 1, needed}) {
            try (HostStorage storage = HostAllocator.builder().hugePages(false).build().allocate(size);
                    SharedMapping shorter = open(storage.fileDescriptor().orElseThrow())) {
                storage.segment().asSlice(0, 4096).copyFrom(mapping.segment().asSlice(0, 4096));
                assertThat(SlotBoardView.isBoard(shorter, NONCE)).isTrue();
                if (size < needed) {
                    refused(Kind.TRANSPORT, "size", () -> SlotBoardView.of(shorter, WORKER, EPOCH, SLOTS));
                } else {
                    assertThat(SlotBoardView.of(shorter, WORKER, EPOCH, SLOTS).slots()).isEqualTo(SLOTS);
                }
            }
        }
    }

    @Test
    void theBoardNamesTheFilesOfItsSlotsInTheirOrder() {
        SlotBoardView view = view();
        assertThat(board.memoryDescriptors()).hasSize(2);
        try (SharedMapping first = open(board.memoryDescriptors().getFirst());
                SharedMapping second = open(board.memoryDescriptors().getLast());
                HostStorage other = HostAllocator.create().allocate(first.size());
                SharedMapping foreign = open(other.fileDescriptor().orElseThrow())) {
            assertThat(view.isFile(0, first)).isTrue();
            assertThat(view.isFile(1, second)).isTrue();
            assertThat(view.isFile(1, first)).isFalse();
            assertThat(view.isFile(0, second)).isFalse();
            assertThat(view.isFile(0, foreign)).isFalse();
            assertThat(view.isFile(2, first)).isFalse();
            assertThat(view.isFile(-1, first)).isFalse();
            assertThat(view.isFile(Integer.MAX_VALUE, first)).isFalse();
            BoardFormat.LONG.set(board.board, BoardFormat.FIRST_FILE_AT + 8, first.size() + 1);
            assertThat(view.isFile(0, first)).isFalse();
            BoardFormat.LONG.set(board.board, BoardFormat.FIRST_FILE_AT + 8, -1L);
            assertThat(view.isFile(0, first)).isFalse();
        }
    }

    @Test
    void theFilesOfManyLayersNeedAFirstPartOfMoreThanOnePage() {
        BlockSet many = new BlockSet(memory(300, true), 1, WORKER, CacheLevel.G2);
        try (SlotBoard large = SlotBoard.create(many, EPOCH, NONCE).orElseThrow();
                SharedMapping seen = open(large.descriptor());
                SharedMapping last = open(large.memoryDescriptors().getLast())) {
            SlotBoardView view = SlotBoardView.of(seen, WORKER, EPOCH, SLOTS);
            assertThat(seen.size()).isEqualTo(8192 + SLOTS * 64);
            assertThat(view.isFile(299, last)).isTrue();
            large.publish(SLOTS - 1, 3, new long[]{4}, 0, 1);
            assertThat(view.holds(SLOTS - 1, 3)).isTrue();
            assertThat(view.holds(0, 0)).isFalse();
        } finally {
            many.memory.close();
        }
    }

    @Test
    void memoryThatNobodyElseCanMapHasNoBoard() {
        BlockMemory privately = memory(2, false);
        assertThat(SlotBoard.create(new BlockSet(privately, 1, WORKER, CacheLevel.G2), EPOCH, NONCE)).isEmpty();
        privately.close();
        BlockLayout layout = BlockLayout.of(
                LayoutConfig.builder().numBlocks(SLOTS).numLayers(1).pageSize(4).innerDim(8).build(),
                LayoutType.FULLY_CONTIGUOUS);
        BlockMemory none = BlockMemory.over(layout, List.of(NullStorage.ofSize(layout.requiredAllocation())));
        assertThat(SlotBoard.create(new BlockSet(none, 1, WORKER, CacheLevel.G2), EPOCH, NONCE)).isEmpty();
    }

    @Test
    void whoMapsABoardKeepsItsLastStateAfterItIsClosed() {
        SlotBoardView view = view();
        board.publish(1, 2, new long[]{3}, 0, 1);
        board.close();
        board.close();
        assertThat(view.holds(1, 2)).isTrue();
    }
}
