package io.kvbm.cuda;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.cuda.Gpu.Place;
import io.kvbm.error.CudaException;
import io.kvbm.error.KvbmException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.Transfer;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferRequest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;
import static org.awaitility.Awaitility.await;

/** Whatever the driver or the GPU refuses, at whichever point: nothing is lost, nothing leaks, no byte comes late. */
@Tag("cuda")
@EnabledIf("io.kvbm.cuda.StandIn#isThere")
class CudaFaultTest {

    private static final int BLOCKS = 4;
    private static final int NOT_SUPPORTED = 801;
    private static final int OUT_OF_MEMORY = 2;
    private static final int ILLEGAL_ADDRESS = 700;
    private static final int UNKNOWN = 999;

    private final StandIn standIn = StandIn.get();
    private final long live = standIn.live();
    private final long handles = Gpu.library().openHandles();

    @AfterEach
    void nothingIsLeftAndNoRuleWasBroken() {
        standIn.letGo();
        assertThat(standIn.violation()).isEmpty();
        standIn.reset();
        await().untilAsserted(() -> assertThat(standIn.live()).isEqualTo(live));
        assertThat(Gpu.library().openHandles()).isEqualTo(handles);
    }

    private static LayoutConfig.Builder shape() {
        return LayoutConfig.builder()
                .numBlocks(2 * BLOCKS)
                .numLayers(2)
                .outerDim(2)
                .pageSize(4)
                .innerDim(32)
                .heads(2)
                .dtype(DType.FP16);
    }

    /** A GPU from its opening to its end, with transfers of every kind; those that fail are counted. */
    private static final class Life {

        private final List<AutoCloseable> made = new ArrayList<>();
        private final List<BlockPool> pools = new ArrayList<>();
        private final CudaDevice device = kept(Gpu.library().device(0));
        private final TransferDispatcher dispatcher = kept(TransferDispatcher.builder()
                .engine(new CudaEngine(List.of(device), new CudaTuning(Long.MAX_VALUE, 1)))
                .timeout(Duration.ofSeconds(30))
                .build());
        private int failures;

        private <T extends AutoCloseable> T kept(T thing) {
            made.add(thing);
            return thing;
        }

        void live() {
            try {
                BlockPool pinned = pool(Place.PINNED, HeadOrder.NHD);
                BlockPool pageable = pool(Place.PAGEABLE, HeadOrder.NHD);
                BlockPool first = pool(Place.FIRST, HeadOrder.NHD);
                BlockPool reordered = pool(Place.FIRST, HeadOrder.HND);
                arrivesBy(pinned, first, reordered, pinned);
                arrivesBy(pageable, first, pageable);
            } catch (KvbmException e) {
                failures++;
            }
        }

        /** Moves a pattern from pool to pool; where no step has failed it is there at the end. */
        private void arrivesBy(BlockPool... way) {
            List<BlockList<MutableBlock>> steps = new ArrayList<>();
            for (BlockPool pool : way) {
                steps.add(pool.allocateBlocks(BLOCKS));
            }
            for (int i = 0; i < BLOCKS; i++) {
                fill(steps.getFirst().get(i), i);
            }
            int before = failures;
            for (int step = 1; step < way.length; step++) {
                transfer(steps.get(step - 1), steps.get(step));
            }
            for (int i = 0; failures == before && i < BLOCKS; i++) {
                assertThat(holds(steps.getLast().get(i), i)).isTrue();
            }
            steps.forEach(BlockList::close);
        }

        private static void fill(MutableBlock block, int seed) {
            block.segment().copyFrom(pattern(block, seed));
        }

        private static boolean holds(MutableBlock block, int seed) {
            return block.segment().mismatch(pattern(block, seed)) == -1;
        }

        private static MemorySegment pattern(MutableBlock block, int seed) {
            return MemorySegment.ofArray(Gpu.pattern(seed, 0, 0, block.layout().bytesPerBlock()));
        }

        private BlockPool pool(Place place, HeadOrder order) {
            LayoutType type = place == Place.FIRST ? LayoutType.LAYER_SEPARATE : LayoutType.FULLY_CONTIGUOUS;
            BlockPool pool = kept(Gpu.pool(place, device, shape().headOrder(order).build(), type));
            pools.add(pool);
            return pool;
        }

        private void transfer(BlockList<MutableBlock> from, BlockList<MutableBlock> to) {
            try {
                dispatcher.execute(TransferRequest.put(from, to));
            } catch (KvbmException e) {
                failures++;
            }
        }

        void end() {
            for (AutoCloseable thing : made.reversed()) {
                try {
                    thing.close();
                } catch (KvbmException e) {
                    failures++;
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            }
            for (BlockPool pool : pools) {
                assertThat(pool.stats().holders()).isZero();
            }
        }
    }

    /** Whether the device of the last life was lost when it had lived. */
    private boolean lost;

    /** One life with a fault; returns how many calls and operations it has made. */
    private long[] live(Runnable fault) {
        long calls = standIn.calls();
        long operations = standIn.operations();
        fault.run();
        try {
            Life life = new Life();
            life.live();
            lost = life.device.isLost();
            life.end();
        } catch (KvbmException e) {
            assertThat(e).isInstanceOf(CudaException.class); // the device could not be opened
        }
        long[] made = {standIn.calls() - calls, standIn.operations() - operations};
        assertThat(standIn.violation()).as("after " + made[0] + " calls").isEmpty();
        assertThat(standIn.live()).as("after " + made[0] + " calls").isEqualTo(live);
        assertThat(Gpu.library().openHandles()).isEqualTo(handles);
        standIn.reset();
        return made;
    }

    @ParameterizedTest
    @ValueSource(ints = {NOT_SUPPORTED, OUT_OF_MEMORY, ILLEGAL_ADDRESS})
    void whicheverCallFailsNothingIsLeft(int error) {
        long calls = live(() -> {})[0];
        assertThat(calls).isGreaterThan(50);
        for (int n = 1; n <= calls; n++) {
            int failing = n;
            live(() -> standIn.failCall(failing, error));
        }
        System.out.println("CudaFaultTest: " + calls + " calls failed with error " + error + ", nothing left");
    }

    @Test
    void whicheverOperationFailsNothingIsLeft() {
        long operations = live(() -> {})[1];
        assertThat(operations).isGreaterThan(5);
        for (int n = 1; n <= operations; n++) {
            int failing = n;
            live(() -> standIn.failOperation(failing, ILLEGAL_ADDRESS));
            assertThat(lost).as("the level is off after operation " + n + " has failed").isTrue();
        }
    }

    @Test
    void whicheverQueryFailsNothingIsLeft() {
        for (int n = 1; n <= 12; n++) {
            int failing = n;
            live(() -> standIn.failQuery(failing, NOT_SUPPORTED));
            live(() -> standIn.failQuery(failing, ILLEGAL_ADDRESS));
        }
    }

    // ---------------------------------------------------------------------------------------- single faults

    private void withPools(Work work) throws Exception {
        try (Gpu gpu = new Gpu();
                TransferDispatcher dispatcher = TransferDispatcher.builder()
                        .engine(new CudaEngine(gpu.devices()))
                        .build()) {
            BlockPool host = gpu.pool(Place.PINNED, shape().build(), LayoutType.FULLY_CONTIGUOUS);
            BlockPool device = gpu.pool(Place.FIRST, shape().build(), LayoutType.LAYER_SEPARATE);
            work.with(gpu, dispatcher, host, device);
        }
    }

    @FunctionalInterface
    private interface Work {

        void with(Gpu gpu, TransferDispatcher dispatcher, BlockPool host, BlockPool device) throws Exception;
    }

    @Test
    void aCallThatFailsIsAMissAndTheNextTransferGoes() throws Exception {
        withPools((gpu, dispatcher, host, device) -> {
            try (BlockList<MutableBlock> from = host.allocateBlocks(2);
                    BlockList<MutableBlock> to = device.allocateBlocks(2)) {
                gpu.fill(from.getFirst(), 1);
                gpu.fill(from.getLast(), 2);
                standIn.failCall(1, NOT_SUPPORTED);
                assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(from, to)))
                        .hasMessageContaining("answers CUDA_ERROR_NOT_SUPPORTED")
                        .asInstanceOf(type(CudaException.class))
                        .satisfies(e -> assertThat(e.kind()).isEqualTo(CudaException.Kind.CALL_FAILED));
                assertThat(gpu.device().isLost()).isFalse();
                dispatcher.execute(TransferRequest.put(from, to));
                assertThat(gpu.holds(to.getFirst(), 1)).isTrue();
                assertThat(gpu.holds(to.getLast(), 2)).isTrue();
            }
        });
    }

    @Test
    void aDeviceThatFailsIsLostAndSaysSoFromThenOn() throws Exception {
        withPools((gpu, dispatcher, host, device) -> {
            try (BlockList<MutableBlock> from = host.allocateBlocks(1);
                    BlockList<MutableBlock> to = device.allocateBlocks(1)) {
                standIn.failOperation(1, ILLEGAL_ADDRESS);
                assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(from, to)))
                        .hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS")
                        .asInstanceOf(type(CudaException.class))
                        .satisfies(e -> assertThat(e.kind()).isEqualTo(CudaException.Kind.DEVICE_LOST));
                assertThat(gpu.device().isLost()).isTrue();
                assertThat(device.blocks().isLost()).isTrue();
                assertThat(host.blocks().isLost()).isFalse();
                long calls = standIn.calls();
                assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(from, to)))
                        .hasMessageContaining("has failed");
                assertThat(standIn.calls()).as("calls of a lost device").isEqualTo(calls);
            }
        });
    }

    @Test
    void aTransferThatIsGivenUpHoldsItsBlocksUntilItHasEnded() throws Exception {
        withPools((gpu, dispatcher, host, device) -> {
            BlockList<MutableBlock> from = host.allocateBlocks(2);
            BlockList<MutableBlock> to = device.allocateBlocks(2);
            standIn.hold();
            assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(from, to),
                    new TransferControl(MonotonicClock.SYSTEM, Duration.ofMillis(100))))
                    .asInstanceOf(type(TransferException.class))
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(TransferException.Kind.DEADLINE_EXCEEDED));
            from.close();
            to.close();
            assertThat(host.availableBlocks()).isEqualTo(2 * BLOCKS - 2);
            assertThat(device.availableBlocks()).isEqualTo(2 * BLOCKS - 2);
            try (BlockList<MutableBlock> others = host.allocateBlocks(1);
                    BlockList<MutableBlock> onDevice = device.allocateBlocks(1)) {
                assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(others, onDevice)))
                        .hasMessageContaining("2 blocks may still be moved")
                        .asInstanceOf(type(TransferException.class))
                        .satisfies(e -> assertThat(e.kind()).isEqualTo(TransferException.Kind.TOO_MANY_IN_FLIGHT));
                standIn.letGo();
                await().untilAsserted(() -> assertThat(device.availableBlocks()).isEqualTo(2 * BLOCKS - 1));
                assertThat(host.availableBlocks()).isEqualTo(2 * BLOCKS - 1);
                dispatcher.execute(TransferRequest.put(others, onDevice));
            }
        });
    }

    @Test
    void oneThatIsCancelledWhileItWaitsIsNeverBegun() throws Exception {
        withPools((_, dispatcher, host, device) -> {
            try (BlockList<MutableBlock> from = host.allocateBlocks(2);
                    BlockList<MutableBlock> to = device.allocateBlocks(2)) {
                standIn.hold();
                Transfer running = dispatcher.submit(TransferRequest.put(from.subList(0, 1), to.subList(0, 1)));
                Transfer waiting = dispatcher.submit(TransferRequest.put(from.subList(1, 2), to.subList(1, 2)));
                waiting.cancel();
                assertThatThrownBy(waiting::join).asInstanceOf(type(TransferException.class))
                        .satisfies(e -> assertThat(e.kind()).isEqualTo(TransferException.Kind.CANCELLED));
                long operations = standIn.operations();
                standIn.letGo();
                running.join();
                assertThat(standIn.operations()).isEqualTo(operations + 1);
            }
        });
    }

    @Test
    void memoryThatCannotBePageLockedIsUsedAsItIs() throws Exception {
        try (Gpu gpu = new Gpu();
                TransferDispatcher dispatcher = TransferDispatcher.builder()
                        .engine(new CudaEngine(gpu.devices()))
                        .build()) {
            standIn.failCall(1, OUT_OF_MEMORY);
            BlockPool host = gpu.pool(Place.PINNED, shape().build(), LayoutType.FULLY_CONTIGUOUS);
            BlockPool device = gpu.pool(Place.FIRST, shape().build(), LayoutType.LAYER_SEPARATE);
            try (BlockList<MutableBlock> from = host.allocateBlocks(1);
                    BlockList<MutableBlock> to = device.allocateBlocks(1);
                    BlockList<MutableBlock> back = host.allocateBlocks(1)) {
                gpu.fill(from.getFirst(), 7);
                dispatcher.execute(TransferRequest.put(from, to));
                dispatcher.execute(TransferRequest.put(to, back));
                assertThat(gpu.holds(back.getFirst(), 7)).isTrue();
            }
        }
    }

    @Test
    void whereTheDeviceHasNoRoomToGatherInTheKernelReachesHostMemoryItself() throws Exception {
        try (Gpu gpu = new Gpu();
                TransferDispatcher dispatcher = TransferDispatcher.builder()
                        .engine(new CudaEngine(gpu.devices(), new CudaTuning(Long.MAX_VALUE, 1)))
                        .build()) {
            BlockPool host = gpu.pool(Place.PINNED, shape().build(), LayoutType.FULLY_CONTIGUOUS);
            BlockPool device = gpu.pool(Place.FIRST, shape().build(), LayoutType.LAYER_SEPARATE);
            try (DeviceStorage all = gpu.device().allocator().allocate(gpu.device().freeMemory() - (1 << 20));
                    BlockList<MutableBlock> from = host.allocateBlocks(1);
                    BlockList<MutableBlock> to = device.allocateBlocks(1)) {
                assertThat(all.size()).isPositive();
                gpu.fill(from.getFirst(), 7);
                dispatcher.execute(TransferRequest.put(from, to));
                assertThat(gpu.holds(to.getFirst(), 7)).isTrue();
            }
        }
    }

    @Test
    void whatIsClosedWhileATransferHangsGoesWhenThatHasEnded() {
        CudaDevice device = Gpu.library().device(0);
        TransferDispatcher dispatcher = TransferDispatcher.builder()
                .engine(new CudaEngine(List.of(device)))
                .build();
        BlockPool host = Gpu.pool(Place.PINNED, device, shape().build(), LayoutType.FULLY_CONTIGUOUS);
        BlockPool onDevice = Gpu.pool(Place.FIRST, device, shape().build(), LayoutType.LAYER_SEPARATE);
        BlockList<MutableBlock> from = host.allocateBlocks(1);
        BlockList<MutableBlock> to = onDevice.allocateBlocks(1);
        standIn.hold();
        assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(from, to),
                new TransferControl(MonotonicClock.SYSTEM, Duration.ofMillis(50))))
                .isInstanceOf(TransferException.class);
        from.close();
        to.close();
        dispatcher.close();
        host.close();
        onDevice.close();
        device.close();
        assertThat(standIn.live()).as("all is there that the transfer may touch").isGreaterThan(live);
        standIn.letGo();
        await().untilAsserted(() -> assertThat(standIn.live()).isEqualTo(live));
        assertThat(device.isLost()).isFalse();
    }

    @Test
    void memoryToGatherInThatCannotBePageLockedIsGivenBackEachTime() throws Exception {
        try (Gpu gpu = new Gpu();
                TransferDispatcher dispatcher = TransferDispatcher.builder()
                        .engine(new CudaEngine(gpu.devices()))
                        .build()) {
            BlockPool host = gpu.pool(Place.PAGEABLE, shape().build(), LayoutType.FULLY_CONTIGUOUS);
            BlockPool device = gpu.pool(Place.FIRST, shape().build(), LayoutType.LAYER_SEPARATE);
            try (BlockList<MutableBlock> from = host.allocateBlocks(1);
                    BlockList<MutableBlock> to = device.allocateBlocks(1)) {
                gpu.fill(from.getFirst(), 3);
                for (int n = 0; n < 3; n++) {
                    standIn.failCall(1, OUT_OF_MEMORY);
                    assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(from, to)))
                            .hasMessageContaining("cuMemHostRegister");
                }
                dispatcher.execute(TransferRequest.put(from, to));
                assertThat(gpu.holds(to.getFirst(), 3)).isTrue();
            }
        }
    }

    @Test
    void aStreamThatDoesNotTellWhetherItHasEndedEndsTheDevice() throws Exception {
        try (Gpu gpu = new Gpu();
                TransferDispatcher dispatcher = TransferDispatcher.builder()
                        .engine(new CudaEngine(gpu.devices()))
                        .build()) {
            BlockPool host = gpu.pool(Place.PINNED, shape().build(), LayoutType.FULLY_CONTIGUOUS);
            BlockPool device = gpu.pool(Place.FIRST, shape().build(), LayoutType.LAYER_SEPARATE);
            try (BlockList<MutableBlock> from = host.allocateBlocks(1);
                    BlockList<MutableBlock> to = device.allocateBlocks(1)) {
                standIn.failOperation(1, UNKNOWN);
                assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(from, to)))
                        .isInstanceOf(CudaException.class);
                assertThat(gpu.device().isLost()).isTrue();
                assertThat(host.availableBlocks()).isEqualTo(2 * BLOCKS - 1);
                standIn.reset(); // or nothing of it could be given back
            }
            assertThat(host.availableBlocks()).as("nobody knows whether it is still read").isEqualTo(2 * BLOCKS - 1);
            gpu.device().forgetQuarantine();
        }
    }

    @Test
    void closedMemoryIsNotFilled() throws Exception {
        try (Gpu gpu = new Gpu()) {
            DeviceStorage storage = gpu.device().allocator().allocate(64);
            storage.close();
            long operations = standIn.operations();
            assertThatThrownBy(() -> storage.fill((byte) 1, 0, 64)).hasMessageContaining("is closed; fill it before");
            assertThat(standIn.operations()).isEqualTo(operations);
        }
    }
}
