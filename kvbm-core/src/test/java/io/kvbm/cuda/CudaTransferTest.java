package io.kvbm.cuda;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.cuda.Gpu.Place;
import io.kvbm.error.StorageException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.storage.StorageType;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferRequest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Bytes between all places, layouts and orders, by every means. */
@Tag("cuda")
@EnabledIf("io.kvbm.cuda.Gpu#isThere")
class CudaTransferTest {

    private static final int BLOCKS = 5;

    private static long before;
    private static Gpu gpu;

    private final List<TransferDispatcher> dispatchers = new ArrayList<>();

    @BeforeAll
    static void open() {
        before = Gpu.library().openHandles();
        gpu = new Gpu();
    }

    @AfterEach
    void theMemoryOfBlocksIsGivenBack() {
        dispatchers.forEach(TransferDispatcher::close);
        gpu.closePools();
    }

    @AfterAll
    static void nothingIsLeftOpen() {
        gpu.close();
        assertThat(Gpu.library().openHandles()).isEqualTo(before);
    }

    /** By which means bytes are moved. */
    enum Means {
        DEFAULT,
        /** A copy for each piece. */
        COPIES,
        /** The kernel, straight from and to host memory. */
        KERNEL,
        /** The kernel within the device, and copies of what lies together in host memory. */
        STAGED;

        private CudaTuning tuning() {
            return switch (this) {
                case DEFAULT -> CudaTuning.DEFAULT;
                case COPIES -> new CudaTuning(1, 1);
                case KERNEL -> new CudaTuning(Long.MAX_VALUE, Long.MAX_VALUE);
                case STAGED -> new CudaTuning(Long.MAX_VALUE, 1);
            };
        }
    }

    private TransferDispatcher dispatcher(Means means) {
        TransferDispatcher dispatcher = TransferDispatcher.builder()
                .engine(new CudaEngine(gpu.devices(), means.tuning()))
                .timeout(Duration.ofSeconds(60))
                .build();
        dispatchers.add(dispatcher);
        return dispatcher;
    }

    private static LayoutConfig.Builder shape() {
        return LayoutConfig.builder()
                .numBlocks(BLOCKS)
                .numLayers(3)
                .outerDim(2)
                .pageSize(4)
                .innerDim(24)
                .heads(3)
                .dtype(DType.FP16);
    }

    record Cell(Place from, Place to, LayoutType source, LayoutType destination, boolean reorder) {}

    static Stream<Cell> cells() {
        return Stream.of(Place.values())
                .flatMap(from -> Stream.of(Place.values())
                        .filter(to -> from.isDevice() || to.isDevice())
                        .flatMap(to -> Stream.of(LayoutType.values())
                                .flatMap(source -> Stream.of(LayoutType.values())
                                        .flatMap(destination -> Stream.of(false, true)
                                                .map(reorder -> new Cell(from, to, source, destination, reorder))))));
    }

    @ParameterizedTest
    @MethodSource("cells")
    void everyCellMovesEveryByteToItsPlace(Cell cell) {
        assumeTrue(gpu.has(cell.from) && gpu.has(cell.to));
        BlockPool source = gpu.pool(cell.from, shape().build(), cell.source);
        BlockPool destination = gpu.pool(cell.to,
                shape().headOrder(cell.reorder ? HeadOrder.HND : HeadOrder.NHD).build(), cell.destination);
        for (Means means : Means.values()) {
            try (BlockList<MutableBlock> from = source.allocateBlocks(BLOCKS);
                    BlockList<MutableBlock> to = destination.allocateBlocks(BLOCKS)) {
                for (int i = 0; i < BLOCKS; i++) {
                    gpu.fill(from.get(i), 100 + i);
                    gpu.fill(to.get(i), 200 + i);
                }
                dispatcher(means).execute(TransferRequest.put(from, to.reversed()));
                for (int i = 0; i < BLOCKS; i++) {
                    assertThat(gpu.holds(to.get(BLOCKS - 1 - i), 100 + i)).as(cell + " by " + means).isTrue();
                }
            }
        }
    }

    static Stream<Cell> cellsOfOneLayout() {
        return cells().filter(cell -> cell.source == cell.destination);
    }

    @ParameterizedTest
    @MethodSource("cellsOfOneLayout")
    void someLayersLeaveTheOthersAsTheyAre(Cell cell) {
        assumeTrue(gpu.has(cell.from) && gpu.has(cell.to));
        BlockPool source = gpu.pool(cell.from, shape().build(), cell.source);
        BlockPool destination = gpu.pool(cell.to,
                shape().headOrder(cell.reorder ? HeadOrder.HND : HeadOrder.NHD).build(), cell.destination);
        try (BlockList<MutableBlock> from = source.allocateBlocks(2);
                BlockList<MutableBlock> to = destination.allocateBlocks(2)) {
            for (int i = 0; i < 2; i++) {
                gpu.fill(from.get(i), 100 + i);
                gpu.fill(to.get(i), 200 + i);
            }
            dispatcher(Means.DEFAULT).execute(TransferRequest.put().from(from).to(to).layers(1, 2).build());
            for (int i = 0; i < 2; i++) {
                assertThat(gpu.holds(to.get(i), 200 + i, 0, 1)).isTrue();
                assertThat(gpu.holds(to.get(i), 100 + i, 1, 2)).isTrue();
                assertThat(gpu.holds(to.get(i), 200 + i, 2, 3)).isTrue();
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cellsOfOneLayout")
    void piecesOfOddSizesArriveWhole(Cell cell) {
        assumeTrue(gpu.has(cell.from) && gpu.has(cell.to));
        LayoutConfig.Builder odd = shape().innerDim(15).heads(5).dtype(DType.U8);
        BlockPool source = gpu.pool(cell.from, odd.build(), cell.source);
        BlockPool destination = gpu.pool(cell.to, odd.headOrder(cell.reorder ? HeadOrder.HND : HeadOrder.NHD).build(),
                cell.destination);
        try (BlockList<MutableBlock> from = source.allocateBlocks(BLOCKS);
                BlockList<MutableBlock> to = destination.allocateBlocks(BLOCKS)) {
            for (int i = 0; i < BLOCKS; i++) {
                gpu.fill(from.get(i), i);
            }
            dispatcher(Means.KERNEL).execute(TransferRequest.put(from, to));
            for (int i = 0; i < BLOCKS; i++) {
                assertThat(gpu.holds(to.get(i), i)).isTrue();
            }
        }
    }

    @Test
    void blocksThatAreLargerThanTheMemoryToGatherInArriveWhole() {
        LayoutConfig large = LayoutConfig.builder()
                .numBlocks(3)
                .numLayers(2)
                .outerDim(1)
                .pageSize(4)
                .innerDim((int) (Stage.BYTES / 4 / 2) + 1234)
                .dtype(DType.U8)
                .build();
        BlockPool pageable = gpu.pool(Place.PAGEABLE, large, LayoutType.FULLY_CONTIGUOUS);
        BlockPool device = gpu.pool(Place.FIRST, large, LayoutType.LAYER_SEPARATE);
        try (BlockList<MutableBlock> from = pageable.allocateBlocks(3);
                BlockList<MutableBlock> on = device.allocateBlocks(3)) {
            for (int i = 0; i < 3; i++) {
                gpu.fill(from.get(i), i);
            }
            for (Means means : Means.values()) {
                dispatcher(means).execute(TransferRequest.put(from, on));
                for (int i = 0; i < 3; i++) {
                    assertThat(gpu.holds(on.get(i), i)).as(means.name()).isTrue();
                }
            }
        }
    }

    @Test
    void moreBlocksThanOnePartOfATransferTakesArriveWhole() {
        int blocks = 3000;
        LayoutConfig many = shape().numBlocks(blocks).numLayers(4).pageSize(1).innerDim(8).heads(1).build();
        BlockPool pinned = gpu.pool(Place.PINNED, many, LayoutType.FULLY_CONTIGUOUS);
        BlockPool device = gpu.pool(Place.FIRST, many, LayoutType.LAYER_SEPARATE_OUTER_FIRST);
        try (BlockList<MutableBlock> from = pinned.allocateBlocks(blocks);
                BlockList<MutableBlock> to = device.allocateBlocks(blocks)) {
            for (int i = 0; i < blocks; i++) {
                gpu.fill(from.get(i), i);
            }
            dispatcher(Means.KERNEL).execute(TransferRequest.put(from, to));
            for (int i = 0; i < blocks; i += 97) {
                assertThat(gpu.holds(to.get(i), i)).isTrue();
            }
        }
    }

    @Test
    @DisplayName("T16: 1024 bytes of 42 go up and come down again")
    void memsetAndTransfer() {
        LayoutConfig one = LayoutConfig.builder()
                .numBlocks(1)
                .numLayers(1)
                .pageSize(1)
                .innerDim(1024)
                .dtype(DType.U8)
                .build();
        try (HostStorage host = HostAllocator.builder().pinning(gpu.device().pinning()).build().allocate(1024);
                DeviceStorage device = gpu.device().allocator().allocate(1024)) {
            assertThat(host.type()).isEqualTo(new StorageType.Pinned());
            assertThat(host.isPinned()).isTrue();
            host.fill((byte) 42, 0, 1024);
            BlockPool up = gpu.pool(Place.FIRST, one, LayoutType.FULLY_CONTIGUOUS);
            BlockPool down = gpu.pool(Place.PINNED, one, LayoutType.FULLY_CONTIGUOUS);
            try (BlockList<MutableBlock> onDevice = up.allocateBlocks(1);
                    BlockList<MutableBlock> onHost = down.allocateBlocks(1)) {
                onHost.getFirst().segment().copyFrom(host.segment());
                dispatcher(Means.DEFAULT).execute(TransferRequest.put(onHost, onDevice));
                onHost.getFirst().segment().fill((byte) 0);
                dispatcher(Means.DEFAULT).execute(TransferRequest.put(onDevice, onHost));
                assertThat(onHost.getFirst().segment().mismatch(host.segment())).isEqualTo(-1);
            }
            device.fill((byte) 7, 10, 1000);
            assertThatThrownBy(() -> device.fill((byte) 7, 10, 1015)).asInstanceOf(type(StorageException.class))
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.OPERATION_FAILED));
            assertThatThrownBy(device::segment).hasMessageContaining("copy the block to host memory");
        }
    }

    @Test
    void deviceMemoryIsFilledWithinItsBounds() {
        LayoutConfig one = LayoutConfig.builder()
                .numBlocks(1)
                .numLayers(1)
                .pageSize(1)
                .innerDim(64)
                .dtype(DType.U8)
                .build();
        BlockPool pool = gpu.pool(Place.FIRST, one, LayoutType.FULLY_CONTIGUOUS);
        try (BlockList<MutableBlock> block = pool.allocateBlocks(1)) {
            gpu.fill(block.getFirst(), 1);
            byte[] wanted = gpu.read(block.getFirst(), 0, 0);
            Arrays.fill(wanted, 8, 24, (byte) 5);
            gpu.device().fill(block.getFirst().address(0, 0) + 8, (byte) 5, 16);
            assertThat(gpu.read(block.getFirst(), 0, 0)).isEqualTo(wanted);
        }
    }

    @Test
    void moreDeviceMemoryThanThereIsIsRefusedInWords() {
        long tooMuch = gpu.device().freeMemory() + 1;
        assertThatThrownBy(() -> gpu.device().allocator().allocate(tooMuch))
                .hasMessageContaining(tooMuch + " bytes of GPU memory are asked for")
                .hasMessageContaining("are free on GPU 0")
                .hasMessageContaining("configure fewer device blocks")
                .asInstanceOf(type(StorageException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.ALLOCATION_FAILED));
        assertThatThrownBy(() -> gpu.device().allocator().allocate(0)).hasMessageContaining("at least 1");
    }

    @Test
    void blocksOfAnotherDeviceThanTheEnginesAreRefused() {
        assumeTrue(gpu.has(Place.SECOND));
        BlockPool first = gpu.pool(Place.FIRST, shape().build(), LayoutType.FULLY_CONTIGUOUS);
        BlockPool second = gpu.pool(Place.SECOND, shape().build(), LayoutType.FULLY_CONTIGUOUS);
        TransferDispatcher half = TransferDispatcher.builder().engine(new CudaEngine(List.of(gpu.device()))).build();
        dispatchers.add(half);
        try (BlockList<MutableBlock> from = second.allocateBlocks(1);
                BlockList<MutableBlock> to = first.allocateBlocks(1)) {
            assertThatThrownBy(() -> half.execute(TransferRequest.put(from, to)))
                    .hasMessageContaining("Blocks of GPU 1 are to be moved by an engine for GPUs [0]")
                    .isInstanceOf(TransferException.class);
        }
    }

    @Test
    void aDeviceThatIsNotThereIsRefusedInWords() {
        int devices = Gpu.library().devices();
        assertThatThrownBy(() -> Gpu.library().device(devices))
                .hasMessageContaining("GPU " + devices + " is asked for and " + devices + " are there");
    }

    @Test
    void memoryThatOutlivesItsDeviceIsUsableUntilItIsClosed() {
        CudaDevice device = gpu.has(Place.SECOND) ? gpu.devices().get(1) : gpu.device();
        gpu.close();
        long left = Gpu.library().openHandles();
        gpu = new Gpu();
        DeviceStorage storage = gpu.device().allocator().allocate(100);
        gpu.close();
        assertThat(left).isEqualTo(before);
        assertThat(Gpu.library().openHandles()).isGreaterThan(before);
        storage.fill((byte) 1, 0, 100);
        storage.close();
        storage.close();
        assertThat(Gpu.library().openHandles()).isEqualTo(before);
        assertThatThrownBy(() -> device.allocator().allocate(1)).hasMessageContaining("is closed");
        gpu = new Gpu();
    }
}
