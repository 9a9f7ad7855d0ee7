package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.spring.boot.discovery.KvbmCluster.Publication;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** Three instances that find each other in a real Consul, to which one thing after the other happens. */
@Tag("consul")
@EnabledIf("io.kvbm.spring.boot.discovery.ConsulAgent#isThere")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ConsulClusterTest {

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
        await().atMost(SOON).until(() -> one.knows(two) && two.knows(one));
    }

    @AfterAll
    static void stop() {
        one.close();
        two.close();
        consul.close();
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
        await().atMost(HEALED)
                .until(() -> consul.lists(one) && consul.lists(two)
                        && one.member.publication() == Publication.PUBLISHED
                        && two.member.publication() == Publication.PUBLISHED);
        System.out.println("ConsulClusterTest: registered again after "
                + Duration.ofNanos(System.nanoTime() - start).toMillis() + " ms");
    }

    @Test
    @Order(1)
    void aNewcomerIsKnownWithinTwoSecondsAndOneThatStopsIsTakenOut() throws IOException {
        try (Instance three = Instance.start(Instance.freePorts(1).getFirst(), consul, KEY)) {
            await().pollInterval(Duration.ofMillis(20)).atMost(SOON).until(() -> consul.lists(three));
            long readable = System.nanoTime();
            await().pollInterval(Duration.ofMillis(20)).atMost(Duration.ofSeconds(2)).until(() -> one.knows(three));
            System.out.println("ConsulClusterTest: newcomer known "
                    + Duration.ofNanos(System.nanoTime() - readable).toMillis() + " ms after its entry was readable");
            three.member.stop();
            assertThat(consul.lists(three)).isFalse();
            assertThat(three.member.publication()).isEqualTo(Publication.WITHDRAWN);
            await().atMost(SOON).until(() -> !one.knows(three));
        }
        share();
    }

    @Test
    @Order(2)
    void anEntryHasItsPointerAndAnIdOfItsOwn() {
        assertThat(consul.entries("cluster")).hasSize(2)
                .extracting(entry -> entry.path("ServiceID").asString())
                .containsExactlyInAnyOrder("cluster-" + Long.toUnsignedString(one.manager.workerId()),
                        "cluster-" + Long.toUnsignedString(two.manager.workerId()));
        assertThat(consul.entries("cluster")).allSatisfy(entry -> {
            assertThat(entry.path("ServiceMeta").path(Pointer.PATH_KEY).asString()).isEqualTo("/kvbm");
            assertThat(entry.path("ServiceMeta").path(Pointer.VERSION_KEY).asString()).isEqualTo(Pointer.VERSION);
        });
    }

    @Test
    @Order(3)
    void strangersUnderTheNameOfTheServiceChangeNothing() throws IOException {
        int nobody = Instance.freePorts(1).getFirst();
        consul.register("cluster", "stranger-dead", nobody);
        consul.register("cluster", "stranger-consul", consul.port());
        await().atMost(SOON).until(() -> one.member.addresses() == 4);
        long refusals = one.member.refusals();
        await().atMost(SOON).until(() -> one.member.refusals() > refusals);
        share();
        assertThat(one.peering().peers()).hasSize(1);
        consul.forget("stranger-dead");
        consul.forget("stranger-consul");
    }

    @Test
    @Order(4)
    void anInstanceThatConsulForgetsIsRegisteredAgain() throws IOException {
        consul.forget("cluster-" + Long.toUnsignedString(one.manager.workerId()));
        await().atMost(SOON).until(() -> one.member.publication() == Publication.UNPUBLISHED);
        share();
        assertPublishedAgain();
    }

    @Test
    @Order(5)
    void aConsulThatHangsCostsNothing() throws IOException, InterruptedException {
        consul.freeze();
        try {
            for (int i = 0; i < 3; i++) {
                share();
            }
        } finally {
            consul.thaw();
        }
        share();
        assertThat(one.knows(two) && two.knows(one)).isTrue();
    }

    @Test
    @Order(6)
    void aConsulThatIsAwayAndComesBackEmptyCostsNothingAndKnowsUsAgain() throws IOException, InterruptedException {
        consul.stop();
        await().atMost(SOON).until(() -> one.member.failedPolls() > 3 && two.member.failedPolls() > 3);
        share();
        consul.startAgain();
        share();
        assertPublishedAgain();
        assertThat(one.knows(two) && two.knows(one)).isTrue();
    }
}
