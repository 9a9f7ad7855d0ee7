package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** An instance in a JVM of its own is ended by SIGTERM while it computes. */
class ShutdownUnderLoadTest {

    private static final int CLIENTS = 6;
    private static final int TOKENS = 9;
    private static final Duration SHORT = Duration.ofMillis(20);

    /** Longer than the instance answers new requests, so that its web server and its cache have to wait. */
    private static final Duration LONG = Duration.ofSeconds(3);

    @Test
    void everyRequestIsAnsweredAndNoHandleIsLeft() throws Exception {
        List<Integer> ports = Instance.freePorts(1);
        try (ForkedInstance instance = ForkedInstance.start(7, ports.getFirst(), ports, "kvbm.host.blocks=64",
                "kvbm.shutdown.delay=1s");
                ExecutorService threads = Executors.newCachedThreadPool()) {
            instance.awaitStart();
            List<Future<Integer>> underWay = IntStream.range(0, CLIENTS)
                    .mapToObj(client -> threads.submit(() -> instance.compute(1000 + client, TOKENS, LONG)))
                    .toList();
            await().pollInterval(SHORT).until(() -> instance.openSequences() == CLIENTS);
            List<Future<Integer>> clients = IntStream.range(0, CLIENTS)
                    .mapToObj(client -> threads.submit(() -> askWhileInService(instance, client)))
                    .toList();

            assertThat(instance.terminate()).isIn(0, 143);
            for (Future<Integer> answer : underWay) {
                assertThat(answer.get()).isEqualTo(TOKENS);
            }
            int answers = CLIENTS;
            for (Future<Integer> client : clients) {
                answers += client.get();
            }
            assertThat(instance.log())
                    .contains("All " + answers + " sequences of worker 7 have ended and no handle is left")
                    .doesNotContain("WARN", "ERROR");
        }
    }

    /** Asks as long as a load balancer would send requests here, and says how many were answered. */
    private static int askWhileInService(ForkedInstance instance, int seed) throws IOException {
        Random prompts = new Random(seed);
        int answers = 0;
        for (; instance.isInService(); answers++) {
            assertThat(instance.compute(prompts.nextInt(20), TOKENS, SHORT)).isEqualTo(TOKENS);
        }
        return answers;
    }
}
