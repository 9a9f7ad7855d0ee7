package io.kvbm.pool;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.StressOptions;
import org.jetbrains.lincheck.datastructures.ThreadIdGen;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.PoolException;
import io.kvbm.testing.RandomCase;
import io.kvbm.token.TokenBlock;

import static org.assertj.core.api.Assertions.assertThat;

/** Whatever several threads do to a pool at once has the outcome of doing it in some order one after the other. */
@Tag("instrumented")
class PoolLincheckTest {

    @Test
    void everyInterleavingOfCallsIsSomeOrderOfThem() {
        new ModelCheckingOptions().threads(2)
                .actorsPerThread(3)
                .actorsBefore(1)
                .actorsAfter(2)
                .iterations(RandomCase.cases(5))
                .invocationsPerIteration(50)
                .check(Operations.class);
    }

    @Test
    void callsOfThreadsThatRunFreelyAreSomeOrderOfThem() {
        new StressOptions().threads(3)
                .actorsPerThread(3)
                .actorsBefore(1)
                .actorsAfter(2)
                .iterations(RandomCase.cases(10))
                .invocationsPerIteration(1000)
                .check(Operations.class);
    }

    /** Started here, where nothing is instrumented yet. */
    @BeforeAll
    static void startTheLeakNet() {
        try (BlockPool pool = PoolSubject.builder(1, 4).build()) {
            pool.allocateBlocks(1).close();
        }
        assertThat(Contents.HASHES).hasSize(3);
    }

    /** A pool of three blocks and what a thread can do with it; each thread closes what it has opened itself. */
    @Param(name = "content", gen = IntGen.class, conf = "0:2")
    @Param(name = "thread", gen = ThreadIdGen.class)
    public static class Operations {

        private final BlockPool pool = BlockPool.builder(PoolSubject.nullBlocks(3, 4)).clock(() -> 0).build();
        private final List<ArrayDeque<BlockHandle>> open = new ArrayList<>();

        public Operations() {
            for (int thread = 0; thread < 8; thread++) {
                open.add(new ArrayDeque<>());
            }
            pool.allocateBlocks(1).close(); // the sampled net is cast here and not under the checked calls
        }

        /** The slot that was allocated, or -1. */
        @Operation
        public int allocate(@Param(name = "thread") int thread) {
            try {
                return opened(thread, pool.allocateBlocks(1));
            } catch (PoolException e) {
                return -1;
            }
        }

        @Operation
        public int allocateTwoInTime(@Param(name = "thread") int thread) throws InterruptedException {
            try {
                return opened(thread, pool.allocateBlocks(2, Duration.ZERO));
            } catch (PoolException e) {
                return -1;
            }
        }

        /** The slot under which the content is found afterwards, or -1 where this thread's last block is not mutable. */
        @Operation
        public int register(@Param(name = "thread") int thread, @Param(name = "content") int content) {
            if (!(open.get(thread).peekLast() instanceof MutableBlock block)) {
                return -1;
            }
            open.get(thread).removeLast();
            block.applyTokenBlock(Contents.CHAIN.get(content));
            return opened(thread, pool.registerBlocks(List.of(block)));
        }

        /** The number of blocks found of a chain. */
        @Operation
        public int match(@Param(name = "thread") int thread) {
            BlockList<ImmutableBlock> found = pool.matchSequenceHashes(Contents.HASHES);
            opened(thread, found);
            return found.size();
        }

        @Operation
        public int close(@Param(name = "thread") int thread) {
            BlockHandle handle = open.get(thread).pollFirst();
            if (handle == null) {
                return -1;
            }
            handle.close();
            return handle.index();
        }

        @Operation
        public int clear() {
            return pool.clear();
        }

        @Operation
        public String stats() {
            PoolStats stats = pool.stats();
            return stats.free() + " " + stats.inactive() + " " + stats.active() + " " + stats.owned() + " "
                    + stats.unlisted() + " " + stats.holders() + " " + stats.waiters() + " " + stats.evictions();
        }

        private int opened(int thread, BlockList<? extends BlockHandle> list) {
            open.get(thread).addAll(list);
            return list.isEmpty() ? -1 : list.getLast().index();
        }
    }

    /** Hashed before anything is instrumented. */
    private static final class Contents {

        static final List<TokenBlock> CHAIN = Content.blocks(1, 3);
        static final long[] HASHES = Content.hashes(CHAIN);
    }
}
