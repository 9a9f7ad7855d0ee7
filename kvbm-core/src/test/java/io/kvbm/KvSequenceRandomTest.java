package io.kvbm;

import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.PoolStats;
import io.kvbm.pool.ReusePolicy;
import io.kvbm.testing.RandomCase;
import io.kvbm.token.IdentityKind;

import static org.assertj.core.api.Assertions.assertThat;

/** Never a wrong byte: random programs over a pool that is too small, checked against a model of what is computed. */
class KvSequenceRandomTest {

    private static KvBlockManager manager(Random random, int blocks) {
        LayoutType[] layouts = LayoutType.values();
        IdentityKind identity = random.nextBoolean() ? IdentityKind.SHA256 : IdentityKind.XXH3;
        return KvBlockManager.create(ToyModel.config(blocks, layouts[random.nextInt(layouts.length)])
                .model(ToyModel.model(ToyModel.PAGE).identityKind(identity).build())
                .reusePolicy(random.nextBoolean() ? ReusePolicy.LINEAGE : ReusePolicy.PRIORITY)
                .build());
    }

    private static void assertWhole(KvBlockManager manager) {
        BlockPool pool = manager.host().orElseThrow();
        PoolStats stats = pool.stats();
        assertThat(stats.holders()).isZero();
        assertThat(stats.free() + stats.inactive()).isEqualTo(stats.total());
        assertThat(stats.active() + stats.owned() + stats.unlisted()).isZero();
        assertThat(manager.stats().openSequences()).isZero();
    }

    @Test
    @DisplayName("random programs of one thread never see a wrong byte")
    void oneThread() {
        long first = RandomCase.seed("KvSequenceRandomTest.oneThread");
        long reused = 0;
        long evictions = 0;
        int programs = RandomCase.cases(200);
        for (int i = 0; i < programs; i++) {
            long seed = first + i;
            try {
                Random random = new Random(seed);
                try (KvBlockManager manager = manager(random, 6 + random.nextInt(10))) {
                    SequenceProgram program = new SequenceProgram(manager, random, ToyModel.Memory.HOST);
                    program.run(150);
                    assertWhole(manager);
                    reused += program.reused();
                    evictions += manager.host().orElseThrow().stats().evictions();
                }
            } catch (RuntimeException | Error e) {
                throw new AssertionError("Repeat with KVBM_SEED=" + seed, e);
            }
        }
        assertThat(reused).as("tokens reused").isGreaterThan(programs * 10L);
        assertThat(evictions).as("blocks evicted").isGreaterThan(programs);
    }

    @Test
    @DisplayName("random programs of four threads never see a wrong byte of each other's")
    void fourThreads() throws Exception {
        long first = RandomCase.seed("KvSequenceRandomTest.fourThreads");
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            for (int i = 0; i < RandomCase.cases(25); i++) {
                long seed = first + i;
                Random random = new Random(seed);
                try (KvBlockManager manager = manager(random, 24 + random.nextInt(24))) {
                    List<Future<Integer>> results = threads.invokeAll(IntStream.range(0, 4)
                            .<Callable<Integer>>mapToObj(t -> () -> {
                                SequenceProgram program = new SequenceProgram(manager, new Random(seed * 31 + t),
                                        ToyModel.Memory.HOST);
                                program.run(400);
                                return program.reused();
                            })
                            .toList());
                    int reused = 0;
                    for (Future<Integer> result : results) {
                        reused += result.get();
                    }
                    assertWhole(manager);
                    assertThat(reused).isPositive();
                } catch (RuntimeException | Error | java.util.concurrent.ExecutionException e) {
                    throw new AssertionError("Seed was KVBM_SEED=" + seed, e);
                }
            }
        }
    }
}
