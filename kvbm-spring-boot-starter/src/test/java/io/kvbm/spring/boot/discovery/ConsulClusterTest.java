package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import tools.jackson.databind.JsonNode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Three instances, each in a JVM of its own, that find each other in a real Consul and answer clients, while one thing
 * after the other happens to them and to Consul. Times are those of an application that sets none.
 */
@Tag("consul")
@EnabledOnOs(OS.LINUX)
@EnabledIf("io.kvbm.spring.boot.discovery.ConsulAgent#isThere")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ConsulClusterTest {

    private static final String KEY = "kvbm.cluster.key=0123456789abcdef0123456789abcdef";
    private static final Duration SOON = Duration.ofSeconds(30);

    private static final List<ForkedInstance> started = new ArrayList<>();
    private static final List<Client> clients = new ArrayList<>();
    private static ConsulAgent consul;
    private static List<Integer> ports;

    /** Two that nothing happens to, and whose clients are to notice nothing. */
    private static ForkedInstance one;
    private static ForkedInstance two;
    private static Client ofOne;
    private static Client ofTwo;

    @BeforeAll
    static void start() throws IOException {
        consul = ConsulAgent.start();
        ports = Instance.freePorts(5);
        one = fork(1);
        two = fork(2);
        one.awaitStart();
        two.awaitStart();
        String epochOfOne = one.epoch();
        String epochOfTwo = two.epoch();
        await().atMost(SOON).until(() -> one.knows("2", epochOfTwo) && two.knows("1", epochOfOne));
        ofOne = client(one);
        ofTwo = client(two);
    }

    @AfterAll
    static void stop() throws IOException, InterruptedException {
        for (Client client : clients) {
            client.leave();
        }
        started.forEach(ForkedInstance::close);
        consul.close();
    }

    private static ForkedInstance fork(int worker, String... properties) throws IOException {
        List<String> all = new ArrayList<>(List.of(properties));
        all.add(KEY);
        if (all.stream().noneMatch(property -> property.startsWith("kvbm.host.blocks"))) {
            all.add("kvbm.host.blocks=" + Client.BLOCKS);
        }
        ForkedInstance instance = ForkedInstance.start(worker, ports.get(worker), consul, all.toArray(String[]::new));
        started.add(instance);
        return instance;
    }

    /** The third, to which things happen, in the life that it has now. */
    private static ForkedInstance three() {
        return started.getLast();
    }

    private static Client client(ForkedInstance instance) {
        Client client = new Client(instance);
        clients.add(client);
        return client;
    }

    // ---------------------------------------------------------------------------------------------- what is watched

    /** Waits for what has to come within a time, and prints how long it took. */
    private static void within(Duration limit, String what, BooleanSupplier condition) {
        long start = System.nanoTime();
        await().pollInterval(Duration.ofMillis(20)).atMost(limit).until(condition::getAsBoolean);
        System.out.println("ConsulClusterTest: " + what + " after "
                + Duration.ofNanos(System.nanoTime() - start).toMillis() + " ms");
    }

    private static boolean isKnown(ForkedInstance instance, String epoch) {
        return one.knows(instance.worker, epoch) && two.knows(instance.worker, epoch);
    }

    private static boolean isForgotten(ForkedInstance instance) {
        return one.peer(instance.worker).isEmpty() && two.peer(instance.worker).isEmpty();
    }

    private static boolean isPublished(ForkedInstance instance) {
        return consul.lists(instance.worker) && instance.cluster().path("publication").asString().equals("PUBLISHED");
    }

    /** Both go on taking blocks from others and answering for as long as that. */
    private static void assertShared(Duration time) {
        long end = System.nanoTime() + time.toNanos();
        int rounds = 0;
        do {
            long answers = ofOne.answers() + ofTwo.answers();
            long ofFirst = one.taken();
            long ofSecond = two.taken();
            await().atMost(SOON)
                    .until(() -> one.taken() > ofFirst && two.taken() > ofSecond
                            && ofOne.answers() + ofTwo.answers() > answers);
            rounds++;
        } while (System.nanoTime() < end);
        System.out.println("ConsulClusterTest: both have taken blocks again, " + rounds + " times");
        assertNobodyNoticed();
    }

    private static void assertNobodyNoticed() {
        assertThat(ofOne.unanswered()).isEmpty();
        assertThat(ofTwo.unanswered()).isEmpty();
        assertThat(clients).allSatisfy(client -> assertThat(client.wrong()).isEmpty());
    }

    /** The blocks that another one, in whatever life it is, was read by both. */
    private static long takenFrom(ForkedInstance instance) {
        return List.of(one, two)
                .stream()
                .flatMap(survivor -> survivor.peer(instance.worker).stream())
                .mapToLong(peer -> peer.path("blocksTaken").asLong())
                .sum();
    }

    // ---------------------------------------------------------------------------------------------- what happens

    @Test
    @Order(1)
    void aNewcomerIsKnownWithinTwoSecondsOfItsEntry() throws IOException {
        ForkedInstance three = fork(3);
        await().pollInterval(Duration.ofMillis(20)).atMost(SOON).until(() -> consul.lists("3"));
        within(Duration.ofSeconds(2), "newcomer known, its entry being readable,",
                () -> one.peer("3").isPresent() && two.peer("3").isPresent());
        three.awaitStart();
        client(three);
        String epoch = three.epoch();
        assertThat(isKnown(three, epoch)).isTrue();
        await().atMost(SOON).until(() -> takenFrom(three) > 0 && three.taken() > 0);
        assertNobodyNoticed();
    }

    @Test
    @Order(2)
    void anEntryHasItsPointerAndAnIdOfItsOwn() {
        assertThat(consul.entries("cluster")).hasSize(3).allSatisfy(entry -> {
            JsonNode metadata = entry.path("ServiceMeta");
            assertThat(entry.path("ServiceID").asString())
                    .isEqualTo("cluster-" + metadata.path(Pointer.WORKER_KEY).asString());
            assertThat(metadata.path(Pointer.PATH_KEY).asString()).isEqualTo("/kvbm");
            assertThat(metadata.path(Pointer.VERSION_KEY).asString()).isEqualTo(Pointer.VERSION);
        });
    }

    @Test
    @Order(3)
    void oneThatIsKilledIsGoneWithItsMemoryWithinTenSeconds() throws IOException, InterruptedException {
        ForkedInstance three = three();
        Set<String> memory = three.ownMemory();
        assertThat(List.of(one, two)).allSatisfy(
                survivor -> assertThat(survivor.peersMemory()).containsAnyElementsOf(memory));
        three.kill();
        within(Duration.ofSeconds(10), "killed one forgotten and unmapped",
                () -> isForgotten(three) && isUnmapped(memory, one) && isUnmapped(memory, two));
        clients.getLast().leave();
        assertNobodyNoticed();
    }

    private static boolean isUnmapped(Set<String> memory, ForkedInstance survivor) {
        try {
            return Collections.disjoint(survivor.peersMemory(), memory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    @Order(4)
    void oneThatIsStartedAgainUnderItsIdIsKnownAndReadAgain() throws IOException {
        ForkedInstance three = fork(3);
        three.awaitStart();
        String epoch = three.epoch();
        within(Duration.ofSeconds(5), "started again, known", () -> isKnown(three, epoch));
        client(three);
        await().atMost(SOON).until(() -> takenFrom(three) > 0 && three.taken() > 0);
        assertNobodyNoticed();
    }

    @Test
    @Order(5)
    void oneThatComesBackWithOtherBlocksBeforeAnybodyMissedItIsKnownWithinFiveSeconds()
            throws IOException, InterruptedException {
        String before = three().epoch();
        three().kill();
        clients.getLast().leave();
        ForkedInstance three = fork(3, "kvbm.host.blocks=" + (Client.BLOCKS - 100));
        three.awaitStart();
        String epoch = three.epoch();
        assertThat(epoch).isNotEqualTo(before);
        within(Duration.ofSeconds(5), "changed one known", () -> isKnown(three, epoch));
        client(three);
        await().atMost(SOON).until(() -> takenFrom(three) > 0 && three.taken() > 0);
        assertNobodyNoticed();
    }

    @Test
    @Order(6)
    void oneThatIsAskedToStopLeavesTheCatalogAndItsPeers() throws InterruptedException {
        ForkedInstance three = three();
        assertThat(three.terminate()).isIn(0, 143);
        clients.getLast().leave();
        assertThat(consul.lists("3")).isFalse();
        within(SOON, "stopped one forgotten", () -> isForgotten(three));
        assertNobodyNoticed();
    }

    @Test
    @Order(7)
    void strangersAndAnotherModelUnderTheNameOfTheServiceAreNeverAHit() throws IOException {
        consul.register("cluster", "stranger-dead", ports.getFirst());
        consul.register("cluster", "stranger-consul", consul.port());
        ForkedInstance four = fork(4, "revision=r2");
        four.awaitStart();
        String epoch = four.epoch();
        within(SOON, "another model known", () -> isKnown(four, epoch) && four.knows("1", one.epoch()));
        Client ofFour = client(four);
        await().atMost(SOON).until(() -> ofFour.answers() > 100 && ofFour.found() > 0);
        assertShared(Duration.ofSeconds(3));
        assertThat(List.of(one, two)).allSatisfy(survivor -> {
            assertThat(survivor.cluster().path("addresses").asInt()).isEqualTo(5);
            assertThat(survivor.cluster().path("refusals").asLong()).isPositive();
            assertThat(survivor.peer("4")).hasValueSatisfying(peer -> {
                assertThat(peer.path("sameModel").asBoolean()).isFalse();
                assertThat(peer.path("blocksTaken").asLong()).isZero();
            });
        });
        assertThat(four.taken()).isZero();
    }

    @Test
    @Order(8)
    void aConsulThatHangsCostsNothing() throws IOException, InterruptedException {
        consul.freeze();
        try {
            assertShared(Duration.ofSeconds(20));
        } finally {
            consul.thaw();
        }
        assertPublished();
    }

    @Test
    @Order(9)
    void aConsulThatIsAwayAndComesBackCostsNothing() throws IOException, InterruptedException {
        consul.stop();
        assertShared(Duration.ofSeconds(30));
        consul.startAgain();
        assertPublished();
    }

    @Test
    @Order(10)
    void aConsulThatComesBackEmptyKnowsUsAgainWithinTwentySeconds() throws IOException, InterruptedException {
        consul.stop();
        consul.startEmpty();
        assertThat(consul.entries("cluster")).isEmpty();
        assertPublished();
        assertShared(Duration.ofSeconds(2));
    }

    private static void assertPublished() {
        within(Duration.ofSeconds(20), "registered, Consul being back,",
                () -> isPublished(one) && isPublished(two));
        assertThat(one.knows("2", two.epoch()) && two.knows("1", one.epoch())).isTrue();
    }

    @Test
    @Order(11)
    void afterAllOfThatNoClientOfTheTwoHasNoticed() throws InterruptedException {
        ofOne.leave();
        ofTwo.leave();
        assertNobodyNoticed();
        assertThat(one.taken()).isPositive();
        assertThat(two.taken()).isPositive();
        System.out.println("ConsulClusterTest: " + clients.stream().mapToLong(Client::answers).sum()
                + " prompts answered, " + (ofOne.answers() + ofTwo.answers()) + " by the two, which took "
                + (one.taken() + two.taken()) + " blocks; none failed, no wrong byte");
    }
}
