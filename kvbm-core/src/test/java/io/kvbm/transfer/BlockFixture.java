package io.kvbm.transfer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

import io.kvbm.block.Block;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.StorageException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.LeakDetection;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.storage.Storage;
import io.kvbm.storage.StorageType;
import io.kvbm.token.Tokens;

/** Pools of blocks to move bytes between. */
final class BlockFixture {

    private BlockFixture() {}

    /** 8 blocks of 3 layers with K and V apart, pages of 4, 6 elements of two bytes. */
    static LayoutConfig.Builder small() {
        return LayoutConfig.builder()
                .numBlocks(8)
                .numLayers(3)
                .outerDim(2)
                .pageSize(4)
                .innerDim(6)
                .dtype(DType.FP16);
    }

    static BlockPool pool(LayoutConfig config, LayoutType type, int worker) {
        return pool(BlockMemory.allocate(config, type, HostAllocator.create()), worker);
    }

    static BlockPool pool(int worker) {
        return pool(small().build(), LayoutType.FULLY_CONTIGUOUS, worker);
    }

    static BlockPool pool(BlockMemory memory, int worker) {
        return BlockPool.builder(new BlockSet(memory, 1, worker, CacheLevel.G2))
                .leakDetection(LeakDetection.FULL)
                .build();
    }

    /** A pool over memory that claims to be of this kind. */
    static BlockPool typed(StorageType type, int worker) {
        return pool(BlockMemory.allocate(small().build(), LayoutType.FULLY_CONTIGUOUS,
                size -> new TypedStorage(type, HostAllocator.create().allocate(size))), worker);
    }

    static void fill(Block block, long seed) {
        for (int layer = 0; layer < block.layout().numLayers(); layer++) {
            for (int outer = 0; outer < block.layout().outerDim(); outer++) {
                block.segment(layer, outer).copyFrom(pattern(seed, layer, outer, block.layout().regionSize()));
            }
        }
    }

    static MemorySegment pattern(long seed, int layer, int outer, long size) {
        byte[] bytes = new byte[(int) size];
        new SplittableRandom(seed * 1_000_003 + layer * 101L + outer).nextBytes(bytes);
        return MemorySegment.ofArray(bytes);
    }

    static boolean holds(Block block, long seed, int layer) {
        for (int outer = 0; outer < block.layout().outerDim(); outer++) {
            if (block.segment(layer, outer)
                    .mismatch(pattern(seed, layer, outer, block.layout().regionSize())) != -1) {
                return false;
            }
        }
        return true;
    }

    static boolean holds(Block block, long seed) {
        for (int layer = 0; layer < block.layout().numLayers(); layer++) {
            if (!holds(block, seed, layer)) {
                return false;
            }
        }
        return true;
    }

    static boolean isZero(Block block, int layer) {
        for (int outer = 0; outer < block.layout().outerDim(); outer++) {
            MemorySegment part = block.segment(layer, outer);
            for (long at = 0; at < part.byteSize(); at++) {
                if (part.get(ValueLayout.JAVA_BYTE, at) != 0) {
                    return false;
                }
            }
        }
        return true;
    }

    /** A registered block that holds the pattern of this seed. */
    static ImmutableBlock registered(BlockPool pool, int seed) {
        MutableBlock block = pool.allocateBlocks(1).getFirst();
        fill(block, seed);
        block.initSequence(seed);
        block.addTokens(Tokens.of(seed, 2, 3, 4));
        block.commit();
        return pool.registerBlocks(List.of(block)).getFirst();
    }

    static List<MutableBlock> list(List<MutableBlock> blocks, int... indices) {
        List<MutableBlock> chosen = new ArrayList<>();
        for (int i : indices) {
            chosen.add(blocks.get(i));
        }
        return chosen;
    }

    static BlockMemory over(LayoutConfig config, Storage storage) {
        return BlockMemory.over(BlockLayout.of(config, LayoutType.FULLY_CONTIGUOUS), List.of(storage));
    }

    /** Host memory under another name; the CPU may reach all but a device's. */
    record TypedStorage(StorageType type, HostStorage memory) implements Storage {

        @Override
        public long address() {
            return memory.address();
        }

        @Override
        public long size() {
            return memory.size();
        }

        @Override
        public MemorySegment segment() {
            if (type instanceof StorageType.Device) {
                throw new StorageException(StorageException.Kind.NOT_ACCESSIBLE, "device memory");
            }
            return memory.segment();
        }

        @Override
        public void close() {
            memory.close();
        }
    }
}
