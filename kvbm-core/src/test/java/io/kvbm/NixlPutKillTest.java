package io.kvbm;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.Peering;
import io.kvbm.remote.PutRequest;
import io.kvbm.remote.WriteLease;
import io.kvbm.remote.Writer;
import io.kvbm.testing.JavaProcess;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;

import static io.kvbm.testing.RandomCase.cases;
import static io.kvbm.testing.RandomCase.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Worker 1, in a process of its own, is killed while it writes blocks of worker 0 by NIXL, or while worker 0 writes
 * its blocks. The bytes go by TCP, so that they are under way for a while.
 */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class NixlPutKillTest {

    private static final int WRITTEN = 32;
    private static final int BLOCKS = 20 * WRITTEN; // so that one in twenty may be in quarantine
    private static final Duration LEASE = Duration.ofSeconds(60);
    private static final Duration TIMEOUT = Duration.ofMillis(500);
    private static final Duration GRACE = Duration.ofMillis(250);
    private static final Duration STILL_UNDER_WAY = Duration.ofMillis(300);
    private static final int MOST_MICROS = 5_000;

    private final Random random = random("NixlPutKillTest");
    private final Queue<String> told = new ConcurrentLinkedQueue<>();
    private StartedWorker zero;
    private BlockPool pool;
    private Peering peering;

    /** Of blocks of 256 KiB. */
    private static ToyWorker worker(long id, long epoch) {
        return new ToyWorker(id, epoch, LayoutType.FULLY_CONTIGUOUS, BLOCKS, 2, 1 << 14).overNixl();
    }

    @BeforeEach
    void start() {
        zero = worker(0, 1).start(MonotonicClock.SYSTEM, KvManagerSharingConfig.builder());
        pool = zero.pool();
        peering = zero.peering();
    }

    @AfterEach
    void nothingIsHeld() {
        await().untilAsserted(() -> assertThat(pool.stats().holders()).isZero());
        assertThat(zero.unfinished()).isZero();
        zero.close();
    }

    private WorkerProcess meet(int life) throws Exception {
        WorkerProcess one = WorkerProcess.start(worker(1, 10 + life),
                JavaProcess.of(RemoteWorker.class).environment(Map.of("UCX_TLS", "tcp")));
        one.link.answerBy(peering.desk());
        assertThat(one.order("import")).isEqualTo("false");
        peering.importBlockset(one.blockset(0), one.link);
        return one;
    }

    private void pause() throws InterruptedException {
        assertThat(new CountDownLatch(1).await(random.nextInt(MOST_MICROS), TimeUnit.MICROSECONDS)).isFalse();
    }

    @Test
    void blocksThatAWriterDiesOverStayInQuarantineAndWhatWasToldToBeThereIsThere() throws Exception {
        int unended = 0;
        int ended = 0;
        int kills = cases(4);
        for (int kill = 0; kill < kills || unended == 0; kill++) {
            assertThat(kill).as("kills, none of which met a write").isLessThan(kills + 20);
            int seed = 1000 * (kill + 1);
            try (WorkerProcess one = meet(kill); BlockList<MutableBlock> mine = pool.allocateBlocks(WRITTEN)) {
                peering.desk()
                        .listen((_, text) -> told.add(text + Filling.firstOther(mine, Integer.parseInt(text))));
                WriteLease lease = peering.leases().write(pool, mine, 1, Writer.ASKS, LEASE);
                one.order("take " + WRITTEN);
                one.order("fill " + seed);
                String put = "put " + seed + " " + BlockDescriptorList.ofMutable(mine).toJson();
                FutureTask<String> writing = new FutureTask<>(() -> one.order(put));
                Thread.ofPlatform().start(writing);
                await().pollDelay(Duration.ZERO)
                        .pollInterval(Duration.ofNanos(1))
                        .until(() -> Filling.hasArrived(mine, 0, seed));
                pause();
                one.kill();
                peering.leases().revoke(lease);
            }
            await().pollDelay(STILL_UNDER_WAY)
                    .untilAsserted(() -> assertThat(pool.availableBlocks()
                            + peering.leases().stats().quarantined()).isEqualTo(BLOCKS));
            if (peering.leases().stats().quarantined() > 0) {
                unended++;
                assertThat(told).isEmpty();
                assertThat(pool.availableBlocks()).isEqualTo(BLOCKS - WRITTEN);
                peering.leases().gone(1);
                assertThat(pool.availableBlocks()).isEqualTo(BLOCKS);
            } else if (!told.isEmpty()) {
                ended++;
                assertThat(told).containsExactly(seed + "Optional.empty");
            }
            told.clear();
            zero.close();
            start();
        }
        System.out.println("NixlPutKillTest: of " + kills + " writers killed, " + unended + " died in a write and "
                + ended + " after it");
    }

    @Test
    void anOwnerThatDiesWhileItIsWrittenLeavesATypedErrorInTimeAndNoBlockHeld() throws Exception {
        int failed = 0;
        long slowest = 0;
        int kills = cases(4);
        for (int kill = 0; kill < kills; kill++) {
            try (WorkerProcess one = meet(kill); BlockList<MutableBlock> mine = pool.allocateBlocks(WRITTEN)) {
                Filling.fill(mine, kill);
                List<RemoteBlock> its = zero.manager()
                        .getRemoteBlocksMutable(BlockDescriptorList.fromJson(one.order("take " + WRITTEN)));
                one.order("let-write 0");
                PutRequest put = PutRequest.builder().from(mine).to(its).build();
                assertThat(put(put)).as("while it is there").isPositive();
                FutureTask<Long> writing = new FutureTask<>(() -> put(put));
                Thread.ofPlatform().start(writing);
                pause();
                one.kill();
                long nanos = writing.get(20, TimeUnit.SECONDS);
                failed += nanos < 0 ? 1 : 0;
                slowest = Math.max(slowest, Math.abs(nanos));
            }
            await().untilAsserted(() -> assertThat(pool.availableBlocks()).isEqualTo(BLOCKS));
        }
        System.out.println("NixlPutKillTest: of " + kills + " puts " + failed + " failed; the slowest took "
                + slowest / 1_000_000 + " ms");
        assertThat(failed).as("puts whose owner died meanwhile").isPositive();
        assertThat(Duration.ofNanos(slowest)).isLessThan(TIMEOUT.plus(GRACE));
    }

    /** How long it took; negative where it failed. */
    private long put(PutRequest put) {
        long start = System.nanoTime();
        try {
            peering.transfers().put(put, new TransferControl(MonotonicClock.SYSTEM, TIMEOUT));
            return System.nanoTime() - start;
        } catch (RemoteException | TransferException e) {
            return start - System.nanoTime();
        }
    }
}
