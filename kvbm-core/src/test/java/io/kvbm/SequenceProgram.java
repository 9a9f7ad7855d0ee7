package io.kvbm;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

import io.kvbm.error.Decision;
import io.kvbm.error.PoolException;
import io.kvbm.pool.BlockPool;

import static org.assertj.core.api.Assertions.assertThat;

/** One thread's sequences and the random things that it does with them, beside a model of what is computed. */
final class SequenceProgram {

    private static final List<String> TENANTS = List.of("", "a", "b");
    private static final int MAX_OPEN = 4;

    private final KvBlockManager manager;
    private final Random random;
    private final ToyModel.Memory memory;
    private final List<Tracked> open = new ArrayList<>();
    private int reused;

    SequenceProgram(KvBlockManager manager, Random random, ToyModel.Memory memory) {
        this.manager = manager;
        this.random = random;
        this.memory = memory;
    }

    void run(int steps) {
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
                manager.pools().forEach(BlockPool::clear);
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
        ToyModel.compute(memory, tracked.sequence, tracked.tenant, tracked.computed, to);
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

    /** Tokens that were found. */
    int reused() {
        return reused;
    }

    /** A sequence beside what is known of it. */
    private final class Tracked {

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
            ToyModel.verify(memory, sequence, tenant, tokens, computed);
        }
    }
}
