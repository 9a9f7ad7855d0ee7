package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.spring.boot.discovery.KvbmCluster.Publication;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** Two instances that have found each other in Consul go on when it knows nothing of them any more, and tell it again. */
@Tag("consul")
@EnabledIf("io.kvbm.spring.boot.discovery.ConsulAgent#isThere")
class ConsulForgetsUsTest {

    private static final String KEY = "kvbm.cluster.key=0123456789abcdef0123456789abcdef";
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final Duration HEALED = Duration.ofSeconds(20);

    private static ConsulAgent consul;
    private static Instance one;
    private static Instance two;
    private static int prompts;

    @BeforeAll
    static void start() throws IOException {
        consul = ConsulAgent.start();
        List<Integer> ports = Instance.freePorts(2);
        one = Instance.start(ports.get(0), consul, KEY);
        two = Instance.start(ports.get(1), consul, KEY);
        await().atMost(SOON).until(() -> one.knows(two) && two.knows(one) && arePublished());
    }

    @AfterAll
    static void stop() throws IOException, InterruptedException {
        one.close();
        two.close();
        consul.close();
    }

    private static boolean arePublished() {
        return consul.lists(one) && consul.lists(two) && one.member.publication() == Publication.PUBLISHED
                && two.member.publication() == Publication.PUBLISHED;
    }

    /** What one has computed the other finds, as if nothing had happened. */
    private static void share() {
        int first = 1000 * ++prompts;
        int[] tokens = IntStream.range(first, first + 21).toArray();
        long before = two.peering().index().stats().blocks();
        one.compute(tokens);
        await().atMost(SOON).until(() -> two.peering().index().stats().blocks() != before);
        assertThat(two.reused(tokens)).isEqualTo(20);
    }

    private static void assertPublishedAgain() {
        long start = System.nanoTime();
        await().atMost(HEALED).until(ConsulForgetsUsTest::arePublished);
        System.out.println("ConsulForgetsUsTest: registered again after "
                + Duration.ofNanos(System.nanoTime() - start).toMillis() + " ms");
    }

    @Test
    void anEntryThatSomebodyTakesOutIsThereAgain() throws IOException {
        consul.forget("cluster-" + Long.toUnsignedString(one.manager.workerId()));
        await().atMost(SOON).until(() -> one.member.publication() == Publication.UNPUBLISHED);
        share();
        assertPublishedAgain();
        assertThat(one.knows(two) && two.knows(one)).isTrue();
    }

    @Test
    void aConsulThatComesBackEmptyKnowsUsAgain() throws IOException, InterruptedException {
        consul.stop();
        await().atMost(SOON).until(() -> one.member.failedPolls() > 3 && two.member.failedPolls() > 3);
        share();
        consul.startEmpty();
        share();
        assertPublishedAgain();
        assertThat(one.knows(two) && two.knows(one)).isTrue();
    }
}
