package io.kvbm.sample.web;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

import com.sun.management.OperatingSystemMXBean;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;

import io.kvbm.KvBlockManager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** Far more clients than the cache has room for, over many times the time that one answer takes. */
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = {"kvbm.host.blocks=56",
    "kvbm.host.size=", "kvbm.sample.max-waiting=48"})
class ManyClientsOfASmallCacheTest {

    private static final int CLIENTS = 64;
    private static final int PROMPTS = 24;
    private static final int ANSWER = 24;
    private static final int PAGE = 16;

    /** A minute where the figures are asked for. */
    private static final Duration TIME = Duration.ofSeconds(
            Integer.parseInt(System.getenv().getOrDefault("KVBM_SCALE", "1")) < 4 ? 10 : 60);

    @LocalServerPort
    private int port;

    @Autowired
    private KvBlockManager manager;

    /** How many responses had each status. */
    private final Map<Integer, LongAdder> statuses = new ConcurrentSkipListMap<>();
    private final Queue<Long> timesToRefusal = new ConcurrentLinkedQueue<>();
    private final List<String> prompts = new ArrayList<>();
    private final List<String> expected = new ArrayList<>();

    @Test
    void eachIsAnsweredRightOrRefusedAtOnceAndNothingIsLeft() throws Exception {
        try (SampleClient client = new SampleClient(port)) {
            int blocks = 0;
            Random random = new Random(4);
            for (int i = 0; i < PROMPTS; i++) {
                prompts.add(prompt(i, random));
                SampleClient.Answer alone = client.ask("/v1/completions", question(i), "alone " + i);
                assertThat(alone.body().at("/usage/prompt_tokens_details/cached_tokens").asInt(-1)).isZero();
                expected.add(alone.body().at("/choices/0/text").asString());
                blocks = Math.max(blocks, (alone.body().at("/usage/prompt_tokens").asInt() + ANSWER) / PAGE + 1);
            }
            int need = CLIENTS * blocks;
            assertThat(manager.host().orElseThrow().totalBlocks()).as("blocks, a tenth of the %d needed", need)
                    .isLessThanOrEqualTo(need / 10);
            load(client, TIME.dividedBy(5));
            timesToRefusal.clear(); // of code that the JVM had not compiled
            statuses.clear();
            long heap = heap();
            long resident = resident();
            var _ = othersLoad();
            load(client, TIME);
            double others = othersLoad();
            long[] refusals = timesToRefusal.stream().mapToLong(Long::longValue).sorted().toArray();
            assertThat(statuses.keySet()).as("statuses of responses").isSubsetOf(200, 429, 503);
            assertThat(refusals).as("refusals").isNotEmpty();
            long mostRefusals = refusals[refusals.length * 99 / 100];
            System.out.printf(
                    "ManyClientsOfASmallCacheTest: %d clients for %d s, a pool of %d of %d blocks: responses by"
                            + " status %s, refused in %d ms at the median, %d ms in 99 %%, %d ms at most, with %.0f %%"
                            + " of the machine used by others; heap %+d KiB, resident %+d KiB%n",
                    CLIENTS, TIME.toSeconds(), manager.host().orElseThrow().totalBlocks(), need, statuses,
                    refusals[refusals.length / 2], mostRefusals, refusals[refusals.length - 1],
                    100 * others, (heap() - heap) >> 10, (resident() - resident) >> 10);
            // on a machine that others use too, the time is theirs as well
            assertThat(mostRefusals).as("milliseconds to a refusal").isLessThan(others < 0.2 ? 1000 : 10_000);
            assertThat(statuses.getOrDefault(200, new LongAdder()).sum()).as("answers").isGreaterThan(PROMPTS);
            assertThat(manager.stats().tokensReused()).as("tokens reused").isPositive();
            assertThat(heap() - heap).as("growth of the heap").isLessThan(16L << 20);
            assertThat(resident() - resident).as("growth of the process").isLessThan(128L << 20);
            await().untilAsserted(() -> {
                assertThat(manager.host().orElseThrow().stats().holders()).as("open handles").isZero();
                assertThat(manager.stats().openSequences()).as("open sequences").isZero();
            });
            assertThat(manager.leaks()).isEmpty();
            for (int i = 0; i < PROMPTS; i++) {
                check(i, client.ask("/v1/completions", question(i), "tenant " + i % 3));
            }
        }
    }

    private static String prompt(int number, Random random) {
        StringBuilder prompt = new StringBuilder("Case " + number + ":");
        while (prompt.length() < 420) {
            prompt.append(random.nextBoolean() ? " the file is opened" : " and a list is returned");
        }
        return prompt.toString();
    }

    private Map<String, ?> question(int prompt) {
        return Map.of("prompt", prompts.get(prompt), "max_tokens", ANSWER);
    }

    private void load(SampleClient client, Duration time) throws Exception {
        long end = System.nanoTime() + time.toNanos();
        try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                Random random = new Random(i);
                all.add(clients.submit(() -> {
                    while (System.nanoTime() < end) {
                        askOnce(client, random.nextInt(PROMPTS), "tenant " + random.nextInt(3));
                    }
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get(time.toSeconds() + 90, TimeUnit.SECONDS);
            }
        }
    }

    private void askOnce(SampleClient client, int prompt, String tenant) throws IOException, InterruptedException {
        long start = System.nanoTime();
        SampleClient.Answer answer = client.ask("/v1/completions", question(prompt), tenant);
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        statuses.computeIfAbsent(answer.status(), _ -> new LongAdder()).increment();
        if (answer.status() == 429 || answer.status() == 503) {
            timesToRefusal.add(took.toMillis());
            Thread.sleep(Duration.ofMillis(20)); // as a client that was told to come later
        } else {
            check(prompt, answer);
        }
    }

    private void check(int prompt, SampleClient.Answer answer) {
        assertThat(answer.status()).as("%s", answer.body()).isEqualTo(200);
        assertThat(answer.body().at("/choices/0/text").asString()).isEqualTo(expected.get(prompt));
    }

    /** What part of the machine's processors other processes have had since the last call. */
    private static double othersLoad() {
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return Math.max(0, system.getCpuLoad() - system.getProcessCpuLoad());
    }

    private static long heap() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static long resident() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status"))
                .stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                .findFirst()
                .orElseThrow();
    }
}
