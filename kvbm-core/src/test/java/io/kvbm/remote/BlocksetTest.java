package io.kvbm.remote;

import java.util.Collections;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;
import io.kvbm.token.ContentFingerprint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class BlocksetTest {

    private static final StorageType PINNED = new StorageType.Pinned();

    private static void refused(Kind kind, String why, ThrowingCallable call) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(call)
                .withMessageContaining(why)
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    private static void malformed(String why, ThrowingCallable call) {
        refused(Kind.MALFORMED, why, call);
    }

    private static ExportedLevel level(ExportedMemory... memory) {
        return new ExportedLevel(1, CacheLevel.G2, LayoutType.FULLY_CONTIGUOUS, Exports.config(16, 3, 64, DType.FP16),
                List.of(memory), null);
    }

    @ParameterizedTest
    @CsvSource({"0,0,0,at least 1", "0,-1,0,at least 1", "-1,2,0,last address", "-16,17,0,last address",
        "-9223372036854775806,9223372036854775807,0,last address", "16,9223372036854775807,-1,outside",
        "0,100,100,outside",
        "0,100,-1,outside"})
    void memoryOfImpossibleNumbersIsRefused(long address, long size, long baseOffset, String why) {
        malformed(why, () -> new ExportedMemory(PINNED, address, size, baseOffset));
    }

    @Test
    void memoryMayEndWithTheLastAddress() {
        assertThat(new ExportedMemory(PINNED, -16, 16, 15).address()).isEqualTo(-16);
        assertThat(new ExportedMemory(PINNED, Long.MIN_VALUE, Long.MAX_VALUE, 0).size()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void aDeviceBelowZeroIsRefused() {
        malformed("device -1", () -> new ExportedMemory(new StorageType.Device(-1), 0, 1, 0));
    }

    @Test
    void sizesAndBaseOffsetsAreDerivedAgain() {
        assertThat(level(new ExportedMemory(PINNED, 100, 28 + 6144, 28)).blockLayout().dataBytes()).isEqualTo(6144);
        malformed("6172 bytes", () -> level(new ExportedMemory(PINNED, 100, 28 + 6143, 28)));
        malformed("makes it 28", () -> level(new ExportedMemory(PINNED, 100, 10_000, 0)));
        malformed("makes it 0", () -> level(new ExportedMemory(PINNED, 128, 10_000, 64)));
    }

    @Test
    void theNumberOfMemoriesFollowsFromTheLayout() {
        ExportedMemory run = new ExportedMemory(PINNED, 0, 10_000, 0);
        malformed("1 memories, but 0", () -> level());
        malformed("1 memories, but 2", () -> level(run, run));
        malformed("3 memories, but 1",
                () -> new ExportedLevel(1, CacheLevel.G2, LayoutType.LAYER_SEPARATE,
                        Exports.config(16, 3, 1, DType.FP16), List.of(run), null));
    }

    @Test
    void theMemoriesOfALevelAreOfOneKind() {
        malformed("it has one kind",
                () -> new ExportedLevel(1, CacheLevel.G2, LayoutType.LAYER_SEPARATE,
                        Exports.config(16, 2, 1, DType.FP16), List.of(new ExportedMemory(PINNED, 0, 10_000, 0),
                                new ExportedMemory(Exports.SYSTEM, 10_000, 10_000, 0)),
                        null));
    }

    @ParameterizedTest
    @CsvSource({"0,1,1,1", "1,0,1,1", "1,1,0,1", "1,1,1,0", "-1,1,1,1", "1,1,1,3",
        "2147483647,2147483647,2147483647,1"})
    void impossibleDimensionsAreRefused(int blocks, int layers, int inner, int alignment) {
        LayoutConfig config = new LayoutConfig(blocks, layers, 1, 1, inner, alignment, DType.U64, 1, HeadOrder.NHD);
        for (LayoutType type : LayoutType.values()) {
            malformed("impossible layout", () -> new ExportedLevel(1, CacheLevel.G2, type, config,
                    List.of(new ExportedMemory(PINNED, 0, Long.MAX_VALUE, 0)), null));
        }
    }

    @Test
    void aBlockSetBelowZeroIsRefused() {
        malformed("Block set -1", () -> Exports.level(-1));
    }

    @Test
    void whatIsSharedIsHostMemoryOneFileForEach() {
        LayoutConfig config = Exports.config(16, 3, 1, DType.FP16);
        Supplier<ExportedLevel> one = () -> Exports.level(1, config, LayoutType.FULLY_CONTIGUOUS, PINNED, 0,
                Exports.SHARED);
        malformed("1 memories, but shares 3", one::get);
        assertThat(Exports.level(1, config, LayoutType.LAYER_SEPARATE, PINNED, 0, Exports.SHARED).shared())
                .isEqualTo(Exports.SHARED);
        for (StorageType type : List.of(new StorageType.Device(0), new StorageType.Nixl(), new StorageType.Null())) {
            malformed("only host memory",
                    () -> Exports.level(1, config, LayoutType.LAYER_SEPARATE, type, 0, Exports.SHARED));
        }
    }

    @ParameterizedTest
    @CsvSource({"0,1,1,3,4", "-1,1,1,3,4", "2147483648,1,1,3,4", "1,0,0,3,4", "1,1,1,-1,4", "1,1,1,3,-1",
        "1,1,1,3,3"})
    void impossibleAddressesOfSharedMemoryAreRefused(long pid, long nonceHigh, long nonceLow, int board, int memory) {
        malformed("hared memory",
                () -> new SharedMemoryAddress(pid, nonceHigh, nonceLow, board, List.of(memory)));
    }

    @Test
    void aFileIsNamedOnce() {
        malformed("descriptor 4 twice", () -> new SharedMemoryAddress(1, 0, 1, 3, List.of(4, 5, 4)));
    }

    @Test
    void aWorkerIsOneProcess() {
        LayoutConfig config = Exports.config(16, 1, 1, DType.FP16);
        ExportedLevel one = Exports.level(1, config, LayoutType.FULLY_CONTIGUOUS, PINNED, 0,
                new SharedMemoryAddress(1, 0, 1, 3, List.of(4)));
        ExportedLevel two = Exports.level(2, config, LayoutType.FULLY_CONTIGUOUS, PINNED, 1 << 20,
                new SharedMemoryAddress(2, 0, 1, 3, List.of(4)));
        malformed("processes [1, 2]", () -> Exports.of(one, two));
    }

    @Test
    void blockSetsHaveNumbersOfTheirOwn() {
        ExportedLevel same = Exports.level(1, Exports.config(1, 1, 1, DType.U8), LayoutType.FULLY_CONTIGUOUS, PINNED, 0,
                null);
        malformed("Block set 1 is exported twice", () -> Exports.of(Exports.level(1), same));
        Blockset blockset = Exports.of(Exports.level(1), Exports.level(3));
        assertThat(blockset.level(3)).contains(Exports.level(3));
        assertThat(blockset.level(2)).isEmpty();
    }

    private static ExportedLevel at(int set, StorageType type, long address) {
        return Exports.level(set, Exports.config(1, 1, 1, DType.FP16), LayoutType.FULLY_CONTIGUOUS, type, address,
                null);
    }

    @Test
    void noByteIsExportedTwice() {
        assertThat(Exports.of(at(1, PINNED, 1000), at(2, Exports.SYSTEM, 1128)).levels()).hasSize(2);
        malformed("overlaps", () -> Exports.of(at(1, PINNED, 1000), at(2, Exports.SYSTEM, 1127)));
        malformed("overlaps", () -> Exports.of(at(2, PINNED, 1127), at(1, PINNED, 1000)));
        malformed("overlaps", () -> Exports.of(at(1, PINNED, -129), at(2, PINNED, -128)));
        malformed("overlaps",
                () -> Exports.of(at(1, new StorageType.Device(1), 0), at(2, new StorageType.Device(1), 0)));
        malformed("overlaps", () -> Exports.of(at(1, new StorageType.Device(0), 5), at(2, PINNED, 0),
                at(3, new StorageType.Device(0), 5)));
    }

    @Test
    void addressesOfDifferentMemoriesHaveNothingToDoWithEachOther() {
        assertThat(Exports.of(at(1, PINNED, 0), at(2, new StorageType.Device(0), 0),
                at(3, new StorageType.Device(1), 0),
                at(4, new StorageType.Null(), 0), at(5, new StorageType.Null(), 0), at(6, new StorageType.Nixl(), 0),
                at(7, new StorageType.Nixl(), 0)).levels()).hasSize(7);
    }

    @Test
    void tooMuchOfAnythingIsRefused() {
        ExportedLevel[] nine = IntStream.range(0, 9).mapToObj(Exports::level).toArray(ExportedLevel[]::new);
        refused(Kind.LIMIT, "is 9, over the limit of 8", () -> Exports.of(nine));
        refused(Kind.LIMIT, "is 262145, over the limit of 262144",
                () -> new Blockset(1, 1, null, List.of(), new byte[Blockset.MAX_AGENT_METADATA + 1]));
        refused(Kind.LIMIT, "is 4097, over the limit of 4096",
                () -> new ExportedLevel(1, CacheLevel.G2, LayoutType.LAYER_SEPARATE,
                        Exports.config(1, 4097, 1, DType.U8),
                        Collections.nCopies(4097, new ExportedMemory(PINNED, 0, 1000, 0)), null));
        refused(Kind.LIMIT, "is 4097, over the limit of 4096",
                () -> new SharedMemoryAddress(1, 0, 1, 0, IntStream.rangeClosed(1, 4097).boxed().toList()));
        LayoutConfig half = Exports.config(1, 2049, 1, DType.U8);
        refused(Kind.LIMIT, "is 4098, over the limit of 4096",
                () -> Exports.of(Exports.level(1, half, LayoutType.LAYER_SEPARATE, PINNED, 0, null),
                        Exports.level(2, half, LayoutType.LAYER_SEPARATE, PINNED, 1L << 40, null)));
    }

    @Test
    void contentOfAWorkerThatDoesNotNameItIsNeverAHit() {
        ContentFingerprint ours = Exports.fingerprint();
        assertThat(Exports.golden().isOf(ours)).isTrue();
        assertThat(Exports.golden().isOf(ContentFingerprint.ofBytes(new byte[32]))).isFalse();
        assertThat(Exports.of().isOf(ours)).isFalse();
        assertThat(Exports.of()).hasToString(
                "Blockset[worker 7, epoch 0, content unknown, [], 0 bytes of agent metadata]");
    }

    @Test
    void agentMetadataIsItsOwn() {
        byte[] metadata = {1, 2, 3};
        Blockset blockset = new Blockset(1, 1, null, List.of(), metadata);
        metadata[0] = 9;
        blockset.agentMetadata()[1] = 9;
        assertThat(blockset.agentMetadata()).containsExactly(1, 2, 3);
        assertThat(blockset).isEqualTo(new Blockset(1, 1, null, List.of(), new byte[]{1, 2, 3}))
                .isNotEqualTo(new Blockset(1, 1, null, List.of(), new byte[]{9, 2, 3}))
                .isNotEqualTo(new Blockset(1, 1, Exports.fingerprint(), List.of(), new byte[]{1, 2, 3}));
    }
}
