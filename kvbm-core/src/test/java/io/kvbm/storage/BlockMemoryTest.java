package io.kvbm.storage;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongConsumer;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.LayoutException;
import io.kvbm.error.StorageException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class BlockMemoryTest {

    private static LayoutConfig.Builder l7() {
        return LayoutConfig.builder().numBlocks(7).numLayers(5).pageSize(4).innerDim(13).dtype(DType.FP32);
    }

    private static void assertKind(LayoutException.Kind kind, String part,
            org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call).hasMessageContaining(part)
                .asInstanceOf(type(LayoutException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    /** Storage without memory whose reservation is driven by the test. */
    private static final class ScriptedStorage implements Storage {

        private final long size;
        private final List<LongConsumer> listeners = new ArrayList<>();
        private final CompletableFuture<Void> reserved = new CompletableFuture<>();
        private final boolean failsToClose;
        private boolean closed;

        private ScriptedStorage(long size, boolean failsToClose) {
            this.size = size;
            this.failsToClose = failsToClose;
        }

        @Override
        public StorageType type() {
            return new StorageType.Null();
        }

        @Override
        public long address() {
            return 0;
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public MemorySegment segment() {
            throw new StorageException(StorageException.Kind.NOT_ACCESSIBLE, "scripted");
        }

        @Override
        public void onReserved(LongConsumer listener) {
            listeners.add(listener);
            listener.accept(0);
        }

        @Override
        public CompletionStage<Void> reserved() {
            return reserved;
        }

        private void tell(long bytes) {
            listeners.forEach(listener -> listener.accept(bytes));
        }

        @Override
        public void close() {
            closed = true;
            if (failsToClose) {
                throw new IllegalStateException("close " + size);
            }
        }
    }

    @Test
    @DisplayName("T19: storage that is too small is refused, more than enough is fine")
    void storageSize() {
        BlockLayout layout = BlockLayout.of(l7().build(), LayoutType.FULLY_CONTIGUOUS);
        assertKind(LayoutException.Kind.INVALID_CONFIG, "7279 bytes",
                () -> BlockMemory.over(layout, List.of(NullStorage.ofSize(7279))));
        BlockMemory.over(layout, List.of(NullStorage.ofSize(7280))).close();
        BlockMemory.over(layout, List.of(NullStorage.ofSize(1 << 20))).close();
        assertKind(LayoutException.Kind.INVALID_CONFIG, "1 storages, but 0 are given",
                () -> BlockMemory.over(layout, List.of()));
        assertKind(LayoutException.Kind.INVALID_CONFIG, "1 storages, but 2 are given",
                () -> BlockMemory.over(layout, List.of(NullStorage.ofSize(7280), NullStorage.ofSize(7280))));
        BlockLayout aligned = BlockLayout.of(l7().alignment(256).build(), LayoutType.FULLY_CONTIGUOUS);
        assertKind(LayoutException.Kind.INVALID_CONFIG, "needs 8975",
                () -> BlockMemory.over(aligned, List.of(new NullStorage(1, 8974))));
        BlockMemory.over(aligned, List.of(new NullStorage(1, 8975))).close();
    }

    @Test
    @DisplayName("T22, LAY-7: addresses count from the storage")
    void addresses() {
        BlockLayout layout = BlockLayout.of(l7().build(), LayoutType.FULLY_CONTIGUOUS);
        try (BlockMemory memory = BlockMemory.over(layout, List.of(NullStorage.ofSize(7280)))) {
            assertThat(memory.address(0, 0, 0)).isZero();
            assertThat(memory.address(3, 2, 0)).isEqualTo(3536);
            assertThat(memory.address(6, 4, 0)).isEqualTo(7072);
            assertKind(LayoutException.Kind.INVALID_BLOCK_INDEX, "Block 7", () -> memory.address(7, 0, 0));
            assertThatThrownBy(() -> memory.part(0, 0, 0)).isInstanceOf(StorageException.class);
            assertThatThrownBy(() -> memory.block(0)).isInstanceOf(StorageException.class);
        }
    }

    @Test
    @DisplayName("T25: host memory of the test layout")
    void hostMemory() {
        try (BlockMemory memory = BlockMemory.allocate(l7().build(), LayoutType.FULLY_CONTIGUOUS,
                HostAllocator.create())) {
            assertThat(memory.storageType()).isEqualTo(new StorageType.System());
            assertThat(memory.storages()).singleElement().satisfies(s -> assertThat(s.size()).isEqualTo(7280));
            assertThat(memory.layout().numBlocks()).isEqualTo(7);
            assertThat(memory.reserved().toCompletableFuture()).isCompleted();
        }
    }

    @Test
    @DisplayName("T26: alignment 256")
    void alignment() {
        HostAllocator odd = HostAllocator.builder().shared(false).build();
        try (BlockMemory memory = BlockMemory.allocate(l7().alignment(256).build(), LayoutType.FULLY_CONTIGUOUS, odd)) {
            assertThat(memory.storages().getFirst().size()).isEqualTo(8975);
            for (int block = 0; block < 3; block++) {
                assertThat(memory.address(block, 0, 0) % 256).isZero();
                assertThat(memory.address(block, 0, 0) - memory.address(0, 0, 0)).isEqualTo(block * 1280L);
                assertThat(memory.part(block, 0, 0).address()).isEqualTo(memory.address(block, 0, 0));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyPartHoldsWhatWasWrittenIntoIt(LayoutType type) {
        LayoutConfig config = l7().outerDim(2).alignment(128).build();
        try (BlockMemory memory = BlockMemory.allocate(config, type, HostAllocator.create())) {
            BlockLayout layout = memory.layout();
            for (int pass = 0; pass < 2; pass++) {
                int i = 0;
                for (int block = 0; block < 7; block++) {
                    for (int layer = 0; layer < 5; layer++) {
                        for (int outer = 0; outer < 2; outer++, i++) {
                            MemorySegment part = memory.part(block, layer, outer);
                            assertThat(part.byteSize()).isEqualTo(208);
                            assertThat(part.address()).isEqualTo(memory.address(block, layer, outer));
                            if (pass == 0) {
                                part.fill((byte) (i * 31 + 7));
                            } else {
                                assertAll(part, (byte) (i * 31 + 7));
                            }
                        }
                    }
                }
            }
            assertThatThrownBy(() -> memory.part(0, 0, 0).get(ValueLayout.JAVA_BYTE, 208))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertViews(memory, layout);
        }
    }

    private static void assertViews(BlockMemory memory, BlockLayout layout) {
        if (layout.layerContiguous()) {
            MemorySegment layer = memory.layer(3, 2);
            assertThat(layer.byteSize()).isEqualTo(416);
            assertThat(layer.address()).isEqualTo(memory.address(3, 2, 0));
            assertThat(layer.asSlice(208).mismatch(memory.part(3, 2, 1))).isEqualTo(-1);
        } else {
            assertKind(LayoutException.Kind.INVALID_CONFIG, "part by part", () -> memory.layer(3, 2));
        }
        if (layout.blockContiguous()) {
            MemorySegment block = memory.block(3);
            assertThat(block.byteSize()).isEqualTo(2080);
            assertThat(block.asSlice(2 * 416 + 208, 208).mismatch(memory.part(3, 2, 1))).isEqualTo(-1);
        } else {
            assertKind(LayoutException.Kind.INVALID_CONFIG, "layer by layer", () -> memory.block(3));
        }
        assertKind(LayoutException.Kind.INVALID_BLOCK_INDEX, "Block 7", () -> memory.part(7, 5, 2));
        assertKind(LayoutException.Kind.INVALID_LAYER_INDEX, "Layer 5", () -> memory.part(0, 5, 2));
        assertKind(LayoutException.Kind.INVALID_OUTER_INDEX, "Outer part 2", () -> memory.part(0, 0, 2));
    }

    private static void assertAll(MemorySegment part, byte value) {
        for (long at = 0; at < part.byteSize(); at++) {
            if (part.get(ValueLayout.JAVA_BYTE, at) != value) {
                throw new AssertionError("Byte " + at + " is " + part.get(ValueLayout.JAVA_BYTE, at));
            }
        }
    }

    @Test
    void reservedBytesOfAContiguousLayoutBecomeWholeBlocks() {
        BlockLayout layout = BlockLayout.of(l7().build(), LayoutType.FULLY_CONTIGUOUS);
        ScriptedStorage storage = new ScriptedStorage(8000, false);
        try (BlockMemory memory = BlockMemory.over(layout, List.of(storage))) {
            List<Integer> told = new ArrayList<>();
            memory.onReserved(told::add);
            for (long bytes : new long[]{1039, 1040, 2079, 2080, 7279, 7280, 8000}) {
                storage.tell(bytes);
            }
            assertThat(told).containsExactly(0, 0, 1, 1, 2, 6, 7, 7);
        }
    }

    @Test
    void theLeastOfAllLayersCounts() {
        BlockLayout layout = BlockLayout.of(l7().numLayers(2).outerDim(2).build(), LayoutType.LAYER_SEPARATE);
        ScriptedStorage first = new ScriptedStorage(7 * 416, false);
        ScriptedStorage second = new ScriptedStorage(7 * 416, false);
        try (BlockMemory memory = BlockMemory.over(layout, List.of(first, second))) {
            List<Integer> told = new ArrayList<>();
            memory.onReserved(told::add);
            first.tell(7 * 416);
            assertThat(told).containsOnly(0);
            second.tell(3 * 416 + 1);
            assertThat(told.getLast()).isEqualTo(3);
            second.tell(7 * 416);
            assertThat(told.getLast()).isEqualTo(7);
            assertThat(memory.reserved().toCompletableFuture()).isNotDone();
            first.reserved.complete(null);
            assertThat(memory.reserved().toCompletableFuture()).isNotDone();
            second.reserved.completeExceptionally(
                    new StorageException(StorageException.Kind.ALLOCATION_FAILED, "no more"));
            assertThat(memory.reserved().toCompletableFuture()).isCompletedExceptionally();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    @DisplayName("outer first, a block is there only when all is there, unless there is one outer part")
    void outerFirst(int outerDim) {
        BlockLayout layout = BlockLayout.of(l7().numLayers(1).outerDim(outerDim).build(),
                LayoutType.LAYER_SEPARATE_OUTER_FIRST);
        ScriptedStorage storage = new ScriptedStorage(layout.dataBytes(), false);
        try (BlockMemory memory = BlockMemory.over(layout, List.of(storage))) {
            List<Integer> told = new ArrayList<>();
            memory.onReserved(told::add);
            storage.tell(layout.dataBytes() - 1);
            assertThat(told.getLast()).isEqualTo(outerDim == 1 ? 6 : 0);
            storage.tell(layout.dataBytes());
            assertThat(told.getLast()).isEqualTo(7);
        }
    }

    @Test
    void thePaddingBeforeTheAlignedBaseIsNoBlock() {
        BlockLayout layout = BlockLayout.of(l7().alignment(256).build(), LayoutType.FULLY_CONTIGUOUS);
        try (BlockMemory memory = BlockMemory.over(layout, List.of(new NullStorage(1, 8975)))) {
            List<Integer> told = new ArrayList<>();
            memory.onReserved(told::add);
            assertThat(told).containsExactly(7);
            assertThat(memory.address(0, 0, 0)).isEqualTo(256);
        }
    }

    @ParameterizedTest
    @EnumSource
    void blocksOfRealMemoryArriveInRisingNumbers(LayoutType type) {
        LayoutConfig config = LayoutConfig.builder()
                .numBlocks(64)
                .numLayers(2)
                .outerDim(2)
                .pageSize(16)
                .innerDim(16 << 10)
                .alignment(4096)
                .build();
        HostAllocator allocator = HostAllocator.builder().backgroundFrom(1 << 20).build();
        try (BlockMemory memory = BlockMemory.allocate(config, type, allocator)) {
            List<Integer> told = java.util.Collections.synchronizedList(new ArrayList<>());
            memory.onReserved(told::add);
            memory.reserved().toCompletableFuture().join();
            org.awaitility.Awaitility.await().until(() -> told.getLast() == 64);
            assertThat(List.copyOf(told)).isSorted();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 4})
    void anAllocationThatFailsClosesWhatWasAllocated(int failing) {
        for (Throwable failure : List.of(
                new StorageException(StorageException.Kind.ALLOCATION_FAILED, "refused by test"),
                new IllegalStateException("refused by test"), new OutOfMemoryError("refused by test"))) {
            List<ScriptedStorage> made = new ArrayList<>();
            StorageAllocator<ScriptedStorage> allocator = size -> {
                if (made.size() == failing) {
                    throw BlockMemoryTest.<RuntimeException>sneak(failure);
                }
                made.add(new ScriptedStorage(size, made.isEmpty()));
                return made.getLast();
            };
            assertThatThrownBy(() -> BlockMemory.allocate(l7().build(), LayoutType.LAYER_SEPARATE, allocator))
                    .hasMessageContaining("refused by test")
                    .isInstanceOf(failure instanceof StorageException ? LayoutException.class : failure.getClass());
            assertThat(made).hasSize(failing).allMatch(storage -> storage.closed);
        }
    }

    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <E extends Throwable> E sneak(Throwable failure) throws E {
        throw (E) failure;
    }

    @Test
    void memoryThatCannotBeHadIsAFailedOperation() {
        StorageAllocator<NullStorage> allocator = _ -> {
            throw new StorageException(StorageException.Kind.ALLOCATION_FAILED, "no room");
        };
        assertKind(LayoutException.Kind.OPERATION_FAILED, "7 blocks of 1040 bytes: no room",
                () -> BlockMemory.allocate(l7().build(), LayoutType.FULLY_CONTIGUOUS, allocator));
        assertKind(LayoutException.Kind.INVALID_CONFIG, "numBlocks",
                () -> BlockMemory.allocate(l7().numBlocks(0).build(), LayoutType.FULLY_CONTIGUOUS, allocator));
        List<ScriptedStorage> small = new ArrayList<>();
        assertKind(LayoutException.Kind.INVALID_CONFIG, "needs 7280",
                () -> BlockMemory.allocate(l7().build(), LayoutType.FULLY_CONTIGUOUS, _ -> {
                    small.add(new ScriptedStorage(10, false));
                    return small.getLast();
                }));
        assertThat(small).singleElement().matches(storage -> storage.closed);
    }

    @Test
    void closingGoesOnAfterAFailureAndThrowsTheFirst() {
        BlockLayout layout = BlockLayout.of(l7().numLayers(3).build(), LayoutType.LAYER_SEPARATE);
        List<ScriptedStorage> storages = List.of(new ScriptedStorage(2000, true), new ScriptedStorage(2000, false),
                new ScriptedStorage(2001, true));
        BlockMemory memory = BlockMemory.over(layout, storages);
        assertThatThrownBy(memory::close).hasMessage("close 2000")
                .satisfies(e -> assertThat(e.getSuppressed()).singleElement()
                        .satisfies(s -> assertThat(s).hasMessage("close 2001")));
        assertThat(storages).allMatch(storage -> storage.closed);
    }

    @Test
    void storagesOfDifferentKindsAreRefused() {
        BlockLayout layout = BlockLayout.of(l7().numLayers(2).build(), LayoutType.LAYER_SEPARATE);
        try (HostStorage host = HostAllocator.create().allocate(4000)) {
            assertKind(LayoutException.Kind.INVALID_CONFIG, "give one kind",
                    () -> BlockMemory.over(layout, List.of(NullStorage.ofSize(4000), host)));
            assertThat(host.segment().scope().isAlive()).isTrue();
        }
    }
}
