package io.kvbm.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

import io.kvbm.block.Block;
import io.kvbm.block.BlockSet;
import io.kvbm.error.FirstFailure;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.LeakDetection;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.StorageType;
import io.kvbm.testing.Required;

/**
 * The GPUs of this process, real ones or those of the stand-in, with the pools that a test makes on them. Bytes of device
 * memory are read and written by plain copies here, so that what moved them is not what says that they are right.
 */
final class Gpu implements AutoCloseable {

    /** Where blocks lie. */
    enum Place {
        PAGEABLE, PINNED, FIRST, SECOND;

        boolean isDevice() {
            return this == FIRST || this == SECOND;
        }
    }

    private static int sets;

    private final CudaLibrary library = library();
    private final List<CudaDevice> devices = IntStream.range(0, Math.min(2, library.devices()))
            .mapToObj(library::device)
            .toList();
    private final List<BlockPool> pools = new ArrayList<>();

    /** Whether tests that need one run: where there is one, and where {@code KVBM_REQUIRE} says that there has to be. */
    static boolean isThere() {
        return Required.names("cuda") || StandIn.isThere() || Cuda.find() instanceof CudaLibrary;
    }

    static CudaLibrary library() {
        if (Cuda.find() instanceof CudaLibrary library) {
            return library;
        }
        throw new AssertionError(Cuda.find().description());
    }

    CudaDevice device() {
        return devices.getFirst();
    }

    List<CudaDevice> devices() {
        return devices;
    }

    /** Whether there is such a place on this machine. */
    boolean has(Place place) {
        return place != Place.SECOND || devices.size() > 1;
    }

    BlockPool pool(Place place, LayoutConfig config, LayoutType type) {
        BlockPool pool = pool(place, place == Place.SECOND ? devices.get(1) : device(), config, type);
        pools.add(pool);
        return pool;
    }

    /** A pool on a device or in host memory that this device reaches or not, which stays the caller's. */
    static BlockPool pool(Place place, CudaDevice device, LayoutConfig config, LayoutType type) {
        BlockMemory memory = BlockMemory.allocate(config, type, switch (place) {
            case PAGEABLE -> HostAllocator.create();
            case PINNED -> HostAllocator.builder().pinning(device.pinning()).build();
            case FIRST, SECOND -> device.allocator();
        });
        return BlockPool.builder(new BlockSet(memory, ++sets, 1, place.isDevice() ? CacheLevel.G1 : CacheLevel.G2))
                .leakDetection(LeakDetection.FULL)
                .build();
    }

    // ---------------------------------------------------------------------------------------- bytes

    /** What a region of a pattern holds, in the order of tokens before heads; every region has bytes of its own. */
    static byte[] pattern(long seed, int layer, int outer, long size) {
        byte[] bytes = new byte[(int) size];
        new SplittableRandom(seed * 1_000_003 + layer * 101L + outer).nextBytes(bytes);
        return bytes;
    }

    /** Writes a pattern into a block, in the order of its layout. */
    void fill(Block block, long seed) {
        BlockLayout layout = block.layout();
        for (int layer = 0; layer < layout.numLayers(); layer++) {
            for (int outer = 0; outer < layout.outerDim(); outer++) {
                write(block, layer, outer, ordered(layout, pattern(seed, layer, outer, layout.regionSize())));
            }
        }
    }

    /** Whether layers of a block hold a pattern, in the order of its layout. */
    boolean holds(Block block, long seed, int first, int end) {
        BlockLayout layout = block.layout();
        for (int layer = first; layer < end; layer++) {
            for (int outer = 0; outer < layout.outerDim(); outer++) {
                byte[] wanted = ordered(layout, pattern(seed, layer, outer, layout.regionSize()));
                if (!Arrays.equals(wanted, read(block, layer, outer))) {
                    return false;
                }
            }
        }
        return true;
    }

    boolean holds(Block block, long seed) {
        return holds(block, seed, 0, block.layout().numLayers());
    }

    /** A region in the order of a layout. */
    private static byte[] ordered(BlockLayout layout, byte[] tokensFirst) {
        if (layout.headOrder() == HeadOrder.NHD || layout.heads() == 1) {
            return tokensFirst;
        }
        int tokens = layout.pageSize();
        int heads = layout.heads();
        int row = tokensFirst.length / tokens / heads;
        byte[] headsFirst = new byte[tokensFirst.length];
        for (int token = 0; token < tokens; token++) {
            for (int head = 0; head < heads; head++) {
                System.arraycopy(tokensFirst, (token * heads + head) * row, headsFirst, (head * tokens + token) * row,
                        row);
            }
        }
        return headsFirst;
    }

    void write(Block block, int layer, int outer, byte[] bytes) {
        if (block.storageType() instanceof StorageType.Device(int ordinal)) {
            long address = block.address(layer, outer);
            onDevice(ordinal, bytes.length, (lane, driver, host) -> {
                MemorySegment.copy(bytes, 0, host, ValueLayout.JAVA_BYTE, 0, bytes.length);
                driver.copyUp(host.address(), address, bytes.length, lane.stream());
            });
        } else {
            MemorySegment.copy(bytes, 0, block.segment(layer, outer), ValueLayout.JAVA_BYTE, 0, bytes.length);
        }
    }

    byte[] read(Block block, int layer, int outer) {
        byte[] bytes = new byte[(int) block.layout().regionSize()];
        if (block.storageType() instanceof StorageType.Device(int ordinal)) {
            long address = block.address(layer, outer);
            onDevice(ordinal, bytes.length, (lane, driver, host) -> {
                driver.copyDown(address, host.address(), bytes.length, lane.stream());
                while (!driver.isIdle(lane.stream())) {
                    Thread.onSpinWait();
                }
                MemorySegment.copy(host, ValueLayout.JAVA_BYTE, 0, bytes, 0, bytes.length);
            });
        } else {
            MemorySegment.copy(block.segment(layer, outer), ValueLayout.JAVA_BYTE, 0, bytes, 0, bytes.length);
        }
        return bytes;
    }

    private interface Work {

        void with(Lane lane, Driver driver, MemorySegment host);
    }

    private void onDevice(int ordinal, long size, Work work) {
        CudaDevice device = devices.get(ordinal);
        StorageType type = new StorageType.Device(ordinal);
        Lane lane = device.lane(type, type);
        lane.call(() -> {
            try (Arena arena = Arena.ofConfined()) {
                work.with(lane, device.driver(), arena.allocate(size, 16));
                while (!device.driver().isIdle(lane.stream())) {
                    Thread.onSpinWait();
                }
            }
            return true;
        });
    }

    /** Gives the memory of all pools back. */
    void closePools() {
        FirstFailure failure = new FirstFailure();
        pools.forEach(pool -> failure.attempt(pool::close));
        pools.clear();
        failure.rethrow();
    }

    @Override
    public void close() {
        FirstFailure failure = new FirstFailure();
        failure.attempt(this::closePools);
        devices.forEach(device -> failure.attempt(device::close));
        failure.rethrow();
    }
}
