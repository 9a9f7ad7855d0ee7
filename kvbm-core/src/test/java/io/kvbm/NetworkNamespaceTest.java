package io.kvbm;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.PrefixReader.Readings;
import io.kvbm.block.BlockDescriptorList;
import io.kvbm.error.RemoteException;
import io.kvbm.layout.LayoutType;
import io.kvbm.nixl.InstalledNixl;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerRequest;
import io.kvbm.testing.JavaProcess;
import io.kvbm.testing.NetworkPair;
import io.kvbm.testing.Required;

import static io.kvbm.testing.RandomCase.cases;
import static io.kvbm.testing.RandomCase.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Worker 0 reads from worker 1 over a network that loses packets and breaks. What they ask of each other goes by pipes, as
 * on a network of its own; the bytes of blocks have no other way than TCP over one cable.
 */
@Tag("netns")
@EnabledIf("isPossible")
class NetworkNamespaceTest {

    static final Duration TIMEOUT = Duration.ofSeconds(1);

    private static final Duration GRACE = Duration.ofMillis(250);
    private static final Duration RECOVERY = Duration.ofSeconds(10);
    private static final int LONGEST = 8;
    private static final long BLOCK_BYTES = 256 * 1024;

    private final Random random = random("NetworkNamespaceTest");
    private final NetworkPair network = new NetworkPair();
    private @Nullable WorkerProcess zero;
    private volatile @Nullable WorkerProcess one;
    private @Nullable BlockDescriptorList held;
    private int first;
    private long epoch;

    static boolean isPossible() {
        return Required.names("netns") || (NetworkPair.isPossible() && InstalledNixl.isThere());
    }

    @BeforeEach
    void start() throws IOException {
        startOne();
        WorkerProcess reader = start(0, PrefixReader.class);
        reader.link.answerBy(this::ask);
        zero = reader;
        awaitReuse(System.nanoTime());
    }

    /** Starts worker 1 anew, with other content than before. */
    private void startOne() throws IOException {
        WorkerProcess started = start(1, RemoteWorker.class);
        first += 1000;
        started.order("take " + LONGEST);
        started.order("fill " + first);
        held = BlockDescriptorList.fromJson(started.order("register " + first));
        one = started;
    }

    private WorkerProcess start(int id, Class<?> main) throws IOException {
        return WorkerProcess.start(
                new ToyWorker(id, ++epoch, LayoutType.FULLY_CONTIGUOUS, 256, 2, 1 << 14).overNixl(),
                JavaProcess.of(main)
                        .within(network.within(id))
                        .environment(Map.of("UCX_TLS", "tcp", "UCX_NET_DEVICES", NetworkPair.DEVICE)));
    }

    private PeerAnswer ask(PeerRequest request) {
        try {
            return one().link.ask(request);
        } catch (RemoteException e) {
            return new PeerAnswer.Refused(e.kind(), String.valueOf(e.getMessage()));
        }
    }

    private WorkerProcess one() {
        return Objects.requireNonNull(one);
    }

    private String order(String words) {
        return Objects.requireNonNull(zero).order(words);
    }

    @AfterEach
    void nothingIsHeld() {
        try (network; WorkerProcess reader = zero; WorkerProcess _ = one) {
            if (reader != null) {
                awaitNothingUnfinished();
                assertThat(order("holders")).isEqualTo("0");
            }
        }
    }

    private void awaitNothingUnfinished() {
        await().atMost(RECOVERY).untilAsserted(() -> assertThat(order("unfinished")).isEqualTo("0"));
    }

    private Readings read(Duration time) {
        return Readings.of(order("read " + first + " " + LONGEST + " " + time.toMillis()));
    }

    private Readings get() {
        return Readings.of(order("get " + first + " " + Objects.requireNonNull(held).toJson()));
    }

    /** Returns the time since a moment until blocks of worker 1 are reused. */
    private Duration awaitReuse(long since) {
        await().pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(20))
                .atMost(RECOVERY)
                .until(() -> read(Duration.ZERO).blocks() > 0);
        return Duration.ofNanos(System.nanoTime() - since);
    }

    private static void assertInTime(Readings readings) {
        assertThat(readings.slowest()).as(readings.toString()).isLessThan(TIMEOUT.plus(GRACE).toMillis());
    }

    @Test
    void whatIsReusedAndFetchedHasCrossedTheNetwork() {
        long before = network.arrived(0);
        Readings reused = read(Duration.ofSeconds(1));
        Readings fetched = get();
        System.out.println("NetworkNamespaceTest: reused " + reused + ", fetched " + fetched);
        assertThat(reused.blocks()).isEqualTo(LONGEST * reused.reads());
        assertThat(fetched.blocks()).isEqualTo(LONGEST);
        assertThat(network.arrived(0) - before).isGreaterThan((reused.blocks() + fetched.blocks()) * BLOCK_BYTES);
    }

    @Test
    void lostPacketsMakeItSlower() {
        Duration time = Duration.ofSeconds(2);
        Readings before = read(time);
        network.lose(5);
        Readings meanwhile = read(time);
        Readings fetched = get();
        System.out
                .println("NetworkNamespaceTest: " + before + ", and where packets are lost " + meanwhile + ", fetched "
                        + fetched);
        assertThat(meanwhile.blocks()).isBetween(1, before.blocks() - 1);
        assertInTime(meanwhile);
        assertInTime(fetched);
        network.lose(0);
        awaitReuse(System.nanoTime());
    }

    @Test
    void aCableThatIsOutForAWhileCostsMissesMeanwhile() throws Exception {
        for (int i = cases(1); i > 0; i--) {
            cutInRead(network::cut);
            network.join();
            assertRecovery(System.nanoTime());
        }
    }

    @Test
    void aNetworkThatSwallowsEverythingForAWhileCostsMissesMeanwhile() throws Exception {
        for (int i = cases(1); i > 0; i--) {
            cutInRead(() -> network.lose(100));
            network.lose(0);
            assertRecovery(System.nanoTime());
        }
    }

    @Test
    void aWorkerThatDiesWhileTheCableIsOutServesAfterItsNextStart() throws Exception {
        for (int i = cases(1); i > 0; i--) {
            cutInRead(() -> {
                network.cut();
                one().kill();
            });
            awaitNothingUnfinished(); // though nobody will ever say that it has ended
            network.join();
            long start = System.nanoTime();
            startOne();
            assertRecovery(start);
        }
    }

    /** Breaks the way in the middle of reads, which end as misses and in time, as do others after that. */
    private void cutInRead(Runnable cut) throws Exception {
        long goal = network.arrived(0) + random.nextInt(1 << 24);
        CompletableFuture<Readings> reading = CompletableFuture.supplyAsync(() -> read(Duration.ofSeconds(3)));
        await().pollInterval(Duration.ofMillis(1)).until(() -> network.arrived(0) > goal);
        cut.run();
        Readings readings = reading.get(20, TimeUnit.SECONDS);
        Readings fetched = get();
        System.out.println("NetworkNamespaceTest: while it was cut " + readings + ", fetched " + fetched);
        assertThat(readings.blocks()).isBetween(1, LONGEST * readings.reads() - 1);
        assertThat(fetched.blocks()).isZero();
        assertInTime(readings);
        assertInTime(fetched);
    }

    private void assertRecovery(long since) {
        Duration recovery = awaitReuse(since);
        System.out.println("NetworkNamespaceTest: reused again after " + recovery.toMillis() + " ms");
        assertThat(recovery).isLessThan(RECOVERY);
        assertThat(get().blocks()).isEqualTo(LONGEST);
    }
}
