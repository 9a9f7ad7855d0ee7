package io.kvbm.bench;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.MutableBlock;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferRequest;

/** Copying 128 shuffled blocks, by a checked and pinned request and by libc's memcpy over the same memory. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class CopyBench {

    static final int BATCH = 128;
    static final long MEMORY = 512L << 20;

    /** Requests over all of the memory, each for lists as a pool gives them when its blocks have come back in any order. */
    @State(Scope.Benchmark)
    public static class Memory {

        @Param({"4096", "65536", "1048576"})
        int blockBytes;

        BlockPool pool;
        final List<BlockList<MutableBlock>> blocks = new ArrayList<>();
        TransferDispatcher transfers;
        MethodHandle memcpy;
        final List<TransferRequest> requests = new ArrayList<>();
        final List<MemorySegment[]> from = new ArrayList<>();
        final List<MemorySegment[]> to = new ArrayList<>();
        int next;

        @Setup
        public void fill() {
            int count = (int) (MEMORY / blockBytes);
            LayoutConfig config = LayoutConfig.builder()
                    .numBlocks(count)
                    .numLayers(1)
                    .pageSize(1)
                    .innerDim(blockBytes)
                    .dtype(DType.U8)
                    .alignment(4096)
                    .build();
            BlockMemory memory = BlockMemory.allocate(config, LayoutType.FULLY_CONTIGUOUS,
                    HostAllocator.builder().backgroundFrom(Long.MAX_VALUE).build());
            pool = BlockPool.builder(new BlockSet(memory, 1, 1, CacheLevel.G2)).build();
            shuffle(count);
            transfers = TransferDispatcher.builder().build();
            memcpy = memcpy();
            for (int at = 0; at + 2 * BATCH <= count; at += 2 * BATCH) {
                BlockList<MutableBlock> these = pool.allocateBlocks(BATCH);
                BlockList<MutableBlock> those = pool.allocateBlocks(BATCH);
                blocks.add(these);
                blocks.add(those);
                requests.add(TransferRequest.put(these, those));
                from.add(these.stream().map(MutableBlock::segment).toArray(MemorySegment[]::new));
                to.add(those.stream().map(MutableBlock::segment).toArray(MemorySegment[]::new));
            }
        }

        /** Blocks are allocated in the order in which they came back. */
        private void shuffle(int count) {
            List<MutableBlock> all = new ArrayList<>(pool.allocateBlocks(count));
            Collections.shuffle(all, new Random(1));
            all.forEach(MutableBlock::close);
        }

        int turn() {
            next = next + 1 == requests.size() ? 0 : next + 1;
            return next;
        }

        @TearDown
        public void close() {
            transfers.close();
            blocks.forEach(BlockList::close);
            pool.close();
        }

        @SuppressWarnings("restricted")
        static MethodHandle memcpy() {
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().findOrThrow("memcpy"), FunctionDescriptor
                    .of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
        }
    }

    @Benchmark
    public void copy_blocks(Memory memory) {
        memory.transfers.execute(memory.requests.get(memory.turn()));
    }

    /** With a request made for this one transfer. */
    @Benchmark
    public void copy_blocks_new(Memory memory) {
        TransferRequest prepared = memory.requests.get(memory.turn());
        memory.transfers.execute(TransferRequest.put(prepared.sources(), prepared.destinations()));
    }

    @Benchmark
    public void copy_memcpy(Memory memory) throws Throwable {
        int turn = memory.turn();
        MemorySegment[] from = memory.from.get(turn);
        MemorySegment[] to = memory.to.get(turn);
        for (int i = 0; i < BATCH; i++) {
            MemorySegment end = (MemorySegment) memory.memcpy.invokeExact(to[i], from[i], (long) memory.blockBytes);
            if (end.address() == 0) {
                throw new IllegalStateException("memcpy returned nothing");
            }
        }
    }
}
