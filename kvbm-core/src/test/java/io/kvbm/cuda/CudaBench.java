package io.kvbm.cuda;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.Releases;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.StorageAllocator;
import io.kvbm.storage.StorageType;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferRequest;

/**
 * Moving 128 shuffled blocks between a GPU and page-locked host memory and within the GPU, by each means that there is,
 * beside one copy of as many bytes in one run. Layers lie apart on the GPU, as engines have them, and together at the
 * other end, so that a block is as many pieces as it has layers. All take turns within one process, as the machine's
 * other work disturbs all of them. It prints {@code peer,op,param,metric,value,unit}, a line per turn. {@code RUNS} and
 * {@code RUN_MS} are the turns and their length, {@code BLOCKS} the blocks of a transfer, {@code BATCH_MIB} the memory
 * that they take at most.
 */
final class CudaBench {

    private static final List<Integer> PIECE_BYTES = List.of(4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20);
    private static final int MOST_LAYERS = 64;

    private static final int BLOCKS = setting("BLOCKS", 128);
    private static final long BATCH_BYTES = (long) setting("BATCH_MIB", 256) << 20;
    private static final int RUNS = setting("RUNS", 7);
    private static final long RUN_NANOS = 1_000_000L * setting("RUN_MS", 100);

    private final CudaDevice device;

    CudaBench(CudaDevice device) {
        this.device = device;
    }

    private static int setting(String name, int otherwise) {
        return Integer.parseInt(System.getenv().getOrDefault(name, Integer.toString(otherwise)));
    }

    /** By what means bytes are moved. */
    private record Way(String name, CudaTuning tuning) {

        static final Way STAGED = new Way("staged", new CudaTuning(Long.MAX_VALUE, 1));
        static final List<Way> ALL = List.of(new Way("default", CudaTuning.DEFAULT),
                new Way("copies", new CudaTuning(1, Long.MAX_VALUE)),
                new Way("kernel", new CudaTuning(Long.MAX_VALUE, Long.MAX_VALUE)), STAGED);
    }

    /** Something to measure, for so many nanoseconds at least; its result is in bytes per nanosecond. */
    @FunctionalInterface
    private interface Measurement {

        double run(long nanos);
    }

    private record Cell(String peer, String op, String param, Measurement measurement) {

        void print(double rate) {
            System.out.printf("%s,%s,%s,bandwidth,%.3f,GB/s%n", peer, op, param, rate);
        }
    }

    void run() {
        for (int pieceBytes : PIECE_BYTES) {
            try (Blocks blocks = new Blocks(pieceBytes)) {
                List<Cell> cells = blocks.cells();
                cells.forEach(cell -> cell.measurement.run(3 * RUN_NANOS));
                for (int run = 0; run < RUNS; run++) {
                    cells.forEach(cell -> cell.print(cell.measurement.run(RUN_NANOS)));
                }
            }
        }
    }

    private static double rate(long bytes, long nanos, Runnable call) {
        long start = System.nanoTime();
        long moved = 0;
        long passed;
        do {
            call.run();
            moved += bytes;
            passed = System.nanoTime() - start;
        } while (passed < nanos);
        return (double) moved / passed;
    }

    /** Blocks with pieces of one size: on the GPU as the engine's, in host memory, and on the GPU again. */
    private final class Blocks implements AutoCloseable {

        private final Releases releases = new Releases();
        private final int layers;
        private final long bytes;
        private final String param;
        private final Place engine;
        private final Place host;
        private final Place beside;
        private final DeviceStorage run;

        Blocks(int pieceBytes) {
            this.layers = Math.clamp(BATCH_BYTES / ((long) BLOCKS * pieceBytes), 1, MOST_LAYERS);
            this.bytes = (long) BLOCKS * layers * pieceBytes;
            this.param = "bs=" + (pieceBytes < 1 << 20 ? (pieceBytes >> 10) + "KiB" : (pieceBytes >> 20) + "MiB")
                    + " batch=" + BLOCKS + " layers=" + layers;
            LayoutConfig config = LayoutConfig.builder()
                    .numBlocks(2 * BLOCKS)
                    .numLayers(layers)
                    .pageSize(1)
                    .innerDim(pieceBytes)
                    .dtype(DType.U8)
                    .build();
            HostAllocator pinned = HostAllocator.builder()
                    .backgroundFrom(Long.MAX_VALUE)
                    .pinning(device.pinning())
                    .build();
            try {
                this.engine = place(1, config, LayoutType.LAYER_SEPARATE, device.allocator());
                this.host = place(2, config, LayoutType.FULLY_CONTIGUOUS, pinned);
                this.beside = place(3, config, LayoutType.FULLY_CONTIGUOUS, device.allocator());
                this.run = device.allocator().allocate(bytes);
                releases.add(run::close);
            } catch (RuntimeException | Error e) {
                releases.close();
                throw e;
            }
        }

        /** Memory and some of its blocks, which a pool hands out in the order in which they came back. */
        private record Place(BlockMemory memory, BlockList<MutableBlock> blocks) {

            StorageType type() {
                return memory.storageType();
            }

            /** Where as many bytes lie in one run. */
            long address() {
                return memory.address(0, 0, 0);
            }
        }

        private Place place(int number, LayoutConfig config, LayoutType type, StorageAllocator<?> allocator) {
            BlockMemory memory = BlockMemory.allocate(config, type, allocator);
            BlockPool pool = BlockPool.builder(new BlockSet(memory, number, 1, CacheLevel.G1)).build();
            releases.add(pool::close);
            List<MutableBlock> all = new ArrayList<>(pool.allocateBlocks(pool.totalBlocks()));
            Collections.shuffle(all, new Random(number));
            all.forEach(MutableBlock::close);
            BlockList<MutableBlock> blocks = pool.allocateBlocks(BLOCKS);
            releases.add(blocks::close);
            return new Place(memory, blocks);
        }

        List<Cell> cells() {
            List<Cell> cells = new ArrayList<>();
            cells.add(oneCopy("onboard", host, run.address(), device.driver()::copyUp));
            cells.add(oneCopy("offload", beside, host.address(), device.driver()::copyDown));
            cells.add(oneCopy("within", beside, run.address(), device.driver()::copyWithin));
            for (Way way : Way.ALL) {
                cells.add(transfer("onboard", host, engine, way));
                cells.add(transfer("offload", engine, host, way));
                if (!way.equals(Way.STAGED)) {
                    cells.add(transfer("within", beside, engine, way));
                }
            }
            return cells;
        }

        /** By the same stream as a transfer; as nothing else is done by its thread, it asks without a pause. */
        private Cell oneCopy(String op, Place source, long destination, Mover.Copy copy) {
            StorageType to = op.equals("offload") ? host.type() : engine.type();
            Lane lane = device.lane(source.type(), to);
            return new Cell("cuda", op, param, nanos -> lane.call(() -> rate(bytes, nanos, () -> {
                copy.put(source.address(), destination, bytes, lane.stream());
                while (!device.driver().isIdle(lane.stream())) {
                    Thread.onSpinWait();
                }
            })));
        }

        /** With a request made for each transfer, as levels do. */
        private Cell transfer(String op, Place source, Place destination, Way way) {
            TransferDispatcher transfers = TransferDispatcher.builder()
                    .engine(new CudaEngine(List.of(device), way.tuning))
                    .build();
            releases.add(transfers::close);
            return new Cell("kvbm-java", op, param + " by=" + way.name,
                    nanos -> rate(bytes, nanos, () -> transfers
                            .execute(TransferRequest.put(source.blocks(), destination.blocks()))));
        }

        @Override
        public void close() {
            releases.close();
        }
    }
}
