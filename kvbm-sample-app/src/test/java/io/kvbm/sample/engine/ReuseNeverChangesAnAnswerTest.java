package io.kvbm.sample.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.pool.PoolStats;

import static org.assertj.core.api.Assertions.assertThat;

/** The promise of the sample: a cached prefix gives the answer that computing it would give. */
class ReuseNeverChangesAnAnswerTest {

    private static final int PAIRS = 200;
    private static final int ANSWER = 20;

    private final long seed = Long.parseLong(
            System.getenv().getOrDefault("KVBM_SEED", Long.toString(new Random().nextLong())));

    @Test
    void pairsOfPromptsThatShareAPrefix() throws Exception {
        Random random = seeded("pairs");
        int reused = 0;
        try (EngineFixture fixture = new EngineFixture(4096)) {
            for (int i = 0; i < PAIRS; i++) {
                String prefix = EngineFixture.text(random, 10 + random.nextInt(60));
                String first = prefix + " " + EngineFixture.text(random, 1 + random.nextInt(20));
                String second = prefix + " " + EngineFixture.text(random, 1 + random.nextInt(20));
                fixture.complete(first, ANSWER, "shared");
                Completion warm = fixture.complete(second, ANSWER, "shared");
                Completion cold = fixture.withoutReuse(second, ANSWER, "alone " + i);

                assertThat(warm.text()).as("pair %d", i).isEqualTo(cold.text());
                assertThat(warm.completionTokens()).isEqualTo(cold.completionTokens());
                reused += warm.cachedTokens() > 0 ? 1 : 0;
            }
            assertNothingOpen(fixture);
        }
        assertThat(reused).as("pairs in which something was reused").isGreaterThan(PAIRS / 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "llama", "llama-fp16"})
    void promptsThatShareAPrefixWithAnExportedModel(String model) throws Exception {
        Random random = seeded("exported " + model);
        try (EngineFixture fixture = new EngineFixture(1024, "classpath:/models/" + model)) {
            for (int i = 0; i < 20; i++) {
                String prefix = EngineFixture.text(random, 10 + random.nextInt(10));
                fixture.complete(prefix + EngineFixture.text(random, 5), ANSWER, "shared");
                String second = prefix + EngineFixture.text(random, 5);
                Completion warm = fixture.complete(second, ANSWER, "shared");
                Completion cold = fixture.withoutReuse(second, ANSWER, "alone " + i);

                assertThat(warm.cachedTokens()).as("cached of pair %d", i).isPositive();
                assertThat(warm.text()).as("pair %d", i).isEqualTo(cold.text());
                assertThat(warm.completionTokens()).isEqualTo(cold.completionTokens());
            }
            assertNothingOpen(fixture);
        }
    }

    @Test
    void secondTurnsThatContainTheFirstAnswer() throws Exception {
        Random random = seeded("turns");
        try (EngineFixture fixture = new EngineFixture(4096)) {
            for (int i = 0; i < 40; i++) {
                String question = EngineFixture.text(random, 20 + random.nextInt(30));
                Completion first = fixture.complete(question, 40, "shared");
                String secondTurn = question + first.text() + " " + EngineFixture.text(random, 8);
                Completion warm = fixture.complete(secondTurn, ANSWER, "shared");
                Completion cold = fixture.withoutReuse(secondTurn, ANSWER, "alone " + i);

                assertThat(warm.text()).as("turn %d", i).isEqualTo(cold.text());
                assertThat(warm.cachedTokens()).as("cached of turn %d", i)
                        .isGreaterThanOrEqualTo((first.promptTokens() - 4) / EngineFixture.PAGE * EngineFixture.PAGE);
            }
            assertNothingOpen(fixture);
        }
    }

    @Test
    void manyAtOnceInACacheThatHasToEvict() throws Exception {
        Random random = seeded("concurrent");
        List<String> prefixes = List.of(EngineFixture.text(random, 50), EngineFixture.text(random, 40),
                EngineFixture.text(random, 30));
        List<String> prompts = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        try (EngineFixture reference = new EngineFixture(512)) {
            for (int i = 0; i < 60; i++) {
                String prompt = prefixes.get(random.nextInt(prefixes.size())) + " "
                        + EngineFixture.text(random, 1 + random.nextInt(15));
                prompts.add(prompt);
                expected.add(reference.withoutReuse(prompt, ANSWER, "alone " + i).text());
            }
        }
        try (EngineFixture small = new EngineFixture(24);
                ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Completion>> answers = new ArrayList<>();
            for (int round = 0; round < 3; round++) {
                for (String prompt : prompts) {
                    answers.add(clients.submit(() -> small.complete(prompt, ANSWER, "shared")));
                }
            }
            int cached = 0;
            for (int i = 0; i < answers.size(); i++) {
                Completion answer = answers.get(i).get();
                assertThat(answer.text()).as("request %d", i).isEqualTo(expected.get(i % prompts.size()));
                cached += answer.cachedTokens();
            }
            PoolStats stats = small.manager.host().orElseThrow().stats();
            assertThat(cached).as("tokens reused").isPositive();
            assertThat(stats.evictions()).as("evictions").isPositive();
            assertNothingOpen(small);
        }
    }

    /** Were the K/V of a cached prefix not used at all, or of no effect, the tests above would prove nothing. */
    @Test
    void aDamagedCacheChangesTheAnswer() throws Exception {
        Random random = seeded("damage");
        try (EngineFixture fixture = new EngineFixture(64)) {
            String prompt = EngineFixture.text(random, 80);
            String healthy = fixture.complete(prompt, ANSWER, "shared").text();
            fixture.memory.forEach(storage -> storage.fill((byte) 0x3f, 0, storage.size()));
            Completion damaged = fixture.complete(prompt, ANSWER, "shared");

            assertThat(damaged.cachedTokens()).isPositive();
            assertThat(damaged.text()).isNotEqualTo(healthy);
        }
    }

    private static void assertNothingOpen(EngineFixture fixture) {
        PoolStats stats = fixture.manager.host().orElseThrow().stats();
        assertThat(stats.holders()).as("open handles").isZero();
        assertThat(stats.leaked()).as("leaked handles").isZero();
        assertThat(fixture.manager.stats().openSequences()).as("open sequences").isZero();
    }

    private Random seeded(String test) {
        System.out.println("ReuseNeverChangesAnAnswerTest." + test + ": KVBM_SEED=" + seed);
        return new Random(seed);
    }
}
