package io.kvbm;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import io.kvbm.error.Decision;
import io.kvbm.error.PoolException;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.PoolStats;
import io.kvbm.pool.ReusePolicy;
import io.kvbm.testing.RandomCase;
import io.kvbm.token.IdentityKind;

import static org.assertj.core.api.Assertions.assertThat;

/** Never a wrong byte: random programs over a pool that is too small, checked against a model of what is computed. */
class KvSequenceRandomTest {

    private static final List<String> TENANTS = List.of("", "a", "b");
    private static final int MAX_OPEN = 4;

    private static KvBlockManager manager(Random random, int blocks) {
        LayoutType[] layouts = LayoutType.values();
        IdentityKind identity = random.nextBoolean() ? IdentityKind.SHA256 : IdentityKind.XXH3;
        return KvBlockManager.create(ToyModel.config(blocks, layouts[random.nextInt(layouts.length)])
                .model(ToyModel.model(ToyModel.PAGE).identityKind(identity).build())
                .reusePolicy(random.nextBoolean() ? ReusePolicy.LINEAGE : ReusePolicy.PRIORITY)
                .build());
    }

    /** A sequence beside what is known of it. */
    private static final class Tracked {

        private final KvSequence sequence;
        private final String tenant;
        private final List<Integer> tokens;
        private int computed;

        private Tracked(KvSequence sequence, String tenant, List<Integer> tokens, int computed) {
            this.sequence = sequence;
            this.tenant = tenant;
            this.tokens = new ArrayList<>(tokens);
            this.computed = computed;
        }

        private void check() {
            assertThat(sequence.length()).isEqualTo(tokens.size());
            assertThat(sequence.computedTokens()).isEqualTo(computed);
            assertThat(sequence.sharedBlocks()).isEqualTo(computed / ToyModel.PAGE);
            assertThat(sequence.blocks()).hasSize((tokens.size() + ToyModel.PAGE - 1) / ToyModel.PAGE);
            ToyModel.verify(sequence, tenant, tokens, computed);
        }
    }

    /** One thread's sequences and what it does with them. */
    private static final class Program {

        private final KvBlockManager manager;
        private final Random random;
        private final List<Tracked> open = new ArrayList<>();
        private int reused;

        private Program(KvBlockManager manager, Random random) {
            this.manager = manager;
            this.random = random;
        }

        private void run(int steps) {
            try {
                for (int step = 0; step < steps; step++) {
                    step();
                }
                open.forEach(Tracked::check);
            } finally {
                open.forEach(tracked -> tracked.sequence.close());
            }
        }

        private void step() {
            int choice = random.nextInt(100);
            if (open.isEmpty() || choice < 15) {
                open();
                return;
            }
            Tracked tracked = open.get(random.nextInt(open.size()));
            try {
                if (choice < 45) {
                    append(tracked);
                } else if (choice < 70) {
                    compute(tracked);
                } else if (choice < 80) {
                    truncate(tracked);
                } else if (choice < 85) {
                    fork(tracked);
                } else if (choice < 99) {
                    close(tracked);
                } else {
                    manager.host().orElseThrow().clear();
                }
            } catch (PoolException e) {
                assertThat(e.decision() == Decision.RETRY || e.kind() == PoolException.Kind.REQUEST_TOO_LARGE)
                        .as("%s", e)
                        .isTrue();
            }
            open.forEach(Tracked::check);
        }

        private void open() {
            if (open.size() == MAX_OPEN) {
                close(open.getFirst());
            }
            String tenant = TENANTS.get(random.nextInt(TENANTS.size()));
            int[] prompt = IntStream.generate(this::token).limit(random.nextInt(22)).toArray();
            KvSequence sequence;
            try {
                sequence = manager.open(prompt, tenant);
            } catch (PoolException e) {
                assertThat(e.decision()).isEqualTo(Decision.RETRY);
                return;
            }
            assertThat(sequence.reusedTokens() % ToyModel.PAGE).isZero();
            assertThat(sequence.reusedTokens()).isLessThanOrEqualTo(Math.max(0, prompt.length - 1));
            Tracked tracked = new Tracked(sequence, tenant, IntStream.of(prompt).boxed().toList(),
                    sequence.reusedTokens());
            open.add(tracked);
            reused += sequence.reusedTokens();
            tracked.check();
        }

        private void append(Tracked tracked) {
            int token = token();
            tracked.sequence.append(token);
            tracked.tokens.add(token);
        }

        private void compute(Tracked tracked) {
            int to = random.nextBoolean() ? tracked.tokens.size()
                    : tracked.computed + random.nextInt(tracked.tokens.size() - tracked.computed + 1);
            ToyModel.compute(tracked.sequence, tracked.tenant, tracked.computed, to);
            tracked.sequence.computed(to);
            tracked.computed = to;
        }

        private void truncate(Tracked tracked) {
            int to = random.nextInt(tracked.tokens.size() + 1);
            tracked.sequence.truncate(to);
            tracked.tokens.subList(to, tracked.tokens.size()).clear();
            tracked.computed = Math.min(tracked.computed, to);
        }

        private void fork(Tracked tracked) {
            if (open.size() < MAX_OPEN) {
                open.add(new Tracked(tracked.sequence.fork(), tracked.tenant, tracked.tokens, tracked.computed));
            }
        }

        private void close(Tracked tracked) {
            tracked.sequence.close();
            open.remove(tracked);
        }

        /** Few tokens, so that prompts often begin alike. */
        private int token() {
            return random.nextInt(10) == 0 ? 1 : 0;
        }
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
                    Program program = new Program(manager, random);
                    program.run(150);
                    assertWhole(manager);
                    reused += program.reused;
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
                                Program program = new Program(manager, new Random(seed * 31 + t));
                                program.run(400);
                                return program.reused;
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
