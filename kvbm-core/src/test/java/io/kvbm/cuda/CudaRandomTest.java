package io.kvbm.cuda;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.cuda.Gpu.Place;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.StorageType;
import io.kvbm.testing.RandomCase;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferRequest;

import static org.assertj.core.api.Assertions.assertThat;

/** Random transfers between pools of all kinds, beside a model that moves numbers in plain arrays. */
@Tag("cuda")
@EnabledIf("io.kvbm.cuda.Gpu#isThere")
class CudaRandomTest {

    private static final int BLOCKS = 12;
    private static final int LAYERS = 3;
    private static final int TRANSFERS = 25_000;
    private static final int LOOK_EVERY = 500;

    /** A pool, all its blocks, and the number that says what each layer of each of them holds. */
    private static final class Side {

        private final BlockPool pool;
        private final BlockList<MutableBlock> blocks;
        private final long[][] holds = new long[BLOCKS][LAYERS];

        Side(BlockPool pool, BlockList<MutableBlock> blocks) {
            this.pool = pool;
            this.blocks = blocks;
        }

        boolean isDevice() {
            return pool.blocks().storageType() instanceof StorageType.Device;
        }
    }

    private final Random random = RandomCase.random("CudaRandomTest");

    @Test
    void everyLayerHoldsWhatTheModelSays() {
        int transfers = RandomCase.cases(TRANSFERS);
        long before = Gpu.library().openHandles();
        long moved = 0;
        try (Gpu gpu = new Gpu()) {
            List<Side> sides = sides(gpu);
            List<TransferDispatcher> dispatchers = dispatchers(gpu);
            for (int n = 0; n < transfers; n++) {
                moved += transfer(sides, dispatchers.get(random.nextInt(dispatchers.size())));
                if (n % LOOK_EVERY == 0) {
                    sides.forEach(side -> compare(gpu, side));
                }
            }
            sides.forEach(side -> compare(gpu, side));
            sides.forEach(side -> side.blocks.close());
            dispatchers.forEach(TransferDispatcher::close);
        }
        assertThat(Gpu.library().openHandles()).isEqualTo(before);
        System.out.println("CudaRandomTest: " + transfers + " transfers of " + moved + " blocks");
    }

    private List<Side> sides(Gpu gpu) {
        List<Side> sides = new ArrayList<>();
        for (Place place : Place.values()) {
            for (LayoutType type : LayoutType.values()) {
                if (gpu.has(place)) {
                    HeadOrder order = type == LayoutType.LAYER_SEPARATE ? HeadOrder.HND : HeadOrder.NHD;
                    sides.add(side(gpu, place, type, order, sides.size()));
                }
            }
        }
        return sides;
    }

    private static Side side(Gpu gpu, Place place, LayoutType type, HeadOrder order, int number) {
        LayoutConfig config = LayoutConfig.builder()
                .numBlocks(BLOCKS)
                .numLayers(LAYERS)
                .outerDim(2)
                .pageSize(2)
                .innerDim(12)
                .heads(2)
                .headOrder(order)
                .dtype(DType.FP16)
                .build();
        BlockPool pool = gpu.pool(place, config, type);
        BlockList<MutableBlock> blocks = pool.allocateBlocks(BLOCKS);
        Side side = new Side(pool, blocks);
        for (int i = 0; i < BLOCKS; i++) {
            long seed = number * 100L + i;
            gpu.fill(blocks.get(i), seed);
            Arrays.fill(side.holds[i], seed);
        }
        return side;
    }

    private static List<TransferDispatcher> dispatchers(Gpu gpu) {
        return List.of(CudaTuning.DEFAULT, new CudaTuning(1, 1), new CudaTuning(Long.MAX_VALUE, Long.MAX_VALUE),
                new CudaTuning(Long.MAX_VALUE, 1))
                .stream()
                .map(tuning -> TransferDispatcher.builder()
                        .engine(new CudaEngine(gpu.devices(), tuning))
                        .timeout(Duration.ofSeconds(60))
                        .build())
                .toList();
    }

    /** One transfer and the model's; returns how many blocks it has moved. */
    private int transfer(List<Side> sides, TransferDispatcher dispatcher) {
        int fromSide = random.nextInt(sides.size());
        int toSide = random.nextInt(sides.size());
        Side from = sides.get(fromSide);
        Side to = sides.get(toSide);
        if (fromSide == toSide || !(from.isDevice() || to.isDevice())) {
            return 0;
        }
        int first = random.nextInt(LAYERS);
        int end = first + 1 + random.nextInt(LAYERS - first);
        List<Integer> places = random.ints(0, BLOCKS).distinct().limit(1 + random.nextInt(BLOCKS)).boxed().toList();
        List<MutableBlock> sources = new ArrayList<>();
        List<MutableBlock> destinations = new ArrayList<>();
        for (int place : places) {
            int source = random.nextInt(BLOCKS);
            sources.add(from.blocks.get(source));
            destinations.add(to.blocks.get(place));
            System.arraycopy(from.holds[source], first, to.holds[place], first, end - first);
        }
        TransferRequest request = TransferRequest.put().from(sources).to(destinations).layers(first, end).build();
        if (random.nextBoolean()) {
            dispatcher.execute(request);
        } else {
            dispatcher.submit(request).join();
        }
        return places.size();
    }

    private static void compare(Gpu gpu, Side side) {
        for (int i = 0; i < BLOCKS; i++) {
            for (int layer = 0; layer < LAYERS; layer++) {
                assertThat(gpu.holds(side.blocks.get(i), side.holds[i][layer], layer, layer + 1))
                        .as("block " + i + ", layer " + layer + " of " + side.pool)
                        .isTrue();
            }
        }
    }
}
