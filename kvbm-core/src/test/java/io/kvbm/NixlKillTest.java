package io.kvbm;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;
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
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.testing.JavaProcess;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;

import static io.kvbm.testing.RandomCase.cases;
import static io.kvbm.testing.RandomCase.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Worker 1, in a process of its own, is killed while worker 0 reads its blocks by NIXL from several threads, and is started
 * anew, again and again; worker 0 finds it as it would in a service. Every other life of it is reached by TCP, where bytes
 * are under way for longer than where the kernel copies them.
 */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class NixlKillTest {

    private static final int LONGEST = 8;
    private static final int BLOCKS = 128;
    private static final int WATCHED = BLOCKS - 10 * LONGEST;
    private static final int AFTER_DEATH = 3;
    private static final Duration TIMEOUT = Duration.ofMillis(500);
    private static final Duration GRACE = Duration.ofMillis(250);
    private static final Duration RECOVERY = Duration.ofSeconds(10);
    private static final List<String> CATALOG = List.of("one");

    private final SplittableRandom random = new SplittableRandom(random("NixlKillTest").nextLong());
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private final ExecutorService readers = Executors.newCachedThreadPool();
    private final AtomicInteger reading = new AtomicInteger();
    private final AtomicInteger reads = new AtomicInteger();
    private final AtomicInteger reused = new AtomicInteger();
    private final AtomicInteger fetched = new AtomicInteger();
    private final AtomicInteger refused = new AtomicInteger();
    private final AtomicLong slowestRead = new AtomicLong();
    private long slowestRecovery;
    private int killedInRead;
    private StartedWorker zero;
    private BlockPool pool;
    private volatile @Nullable WorkerProcess one;
    private volatile int first;
    private volatile boolean dead;

    /** Of blocks of 256 KiB, so that a read takes a while. */
    private static ToyWorker worker(long id, long epoch) {
        return new ToyWorker(id, epoch, LayoutType.FULLY_CONTIGUOUS, BLOCKS, 2, 1 << 14).overNixl();
    }

    @BeforeEach
    void start() {
        zero = worker(0, 1).start(MonotonicClock.SYSTEM, KvManagerSharingConfig.builder().takeTimeout(TIMEOUT));
        pool = zero.pool();
        Reconciler reconciler = zero.peering().reconciler(_ -> this::ask, ReconcilerSettings.DEFAULT);
        var _ = timer.scheduleWithFixedDelay(() -> {
            reconciler.listed(CATALOG);
            reconciler.step(Thread::startVirtualThread);
        }, 0, 20, TimeUnit.MILLISECONDS);
    }

    private PeerAnswer ask(PeerRequest request) {
        WorkerProcess there = one;
        if (there == null) {
            throw new RemoteException(RemoteException.Kind.TRANSPORT, "Nobody was started yet");
        }
        return there.link.ask(request);
    }

    @AfterEach
    void nothingIsHeld() {
        timer.shutdownNow();
        readers.shutdownNow();
        if (one != null) {
            one.close();
        }
        assertThat(zero.peering().leases().stats().readLeases()).isZero();
        await().untilAsserted(() -> assertThat(zero.unfinished()).as("blocks that may still be written").isZero());
        assertThat(pool.stats().holders()).isZero();
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS);
        zero.close();
    }

    @Test
    void anOwnerThatIsKilledWhileItIsReadCostsMissesAndNothingElse() throws Exception {
        int kills = cases(1) < 4 ? cases(10) : cases(50); // a process for each: few until the figures are asked for
        for (int kill = 0; kill < kills; kill++) {
            boolean slow = kill % 2 == 1;
            try (BlockList<MutableBlock> watched = pool.allocateBlocks(WATCHED)) {
                Filling.fill(watched, ~kill);
                BlockDescriptorList named = start(1 + kill, slow ? Map.of("UCX_TLS", "tcp") : Map.of());
                assertThat(Filling.firstOther(watched, ~kill)).as("what arrived too late").isEmpty();
                killWhileItIsRead(named, 3);
            }
        }
        String found = kills + " owners killed, " + killedInRead + " of them in a read; " + reads + " reads, " + reused
                + " blocks reused, " + fetched + " fetched, " + refused + " gets refused; slowest read "
                + slowestRead.get() / 1_000_000 + " ms, slowest start to first reused block "
                + slowestRecovery / 1_000_000 + " ms";
        System.out.println("NixlKillTest: " + found);
        assertThat(Duration.ofNanos(slowestRead.get())).as(found).isLessThan(TIMEOUT.plus(GRACE));
        assertThat(Duration.ofNanos(slowestRecovery)).as(found).isLessThan(RECOVERY);
        assertThat(reused.get()).as(found).isGreaterThan(kills);
        assertThat(fetched.get()).as(found).isGreaterThan(kills);
        assertThat(killedInRead).as(found).isGreaterThan(kills / 5);
    }

    /** Starts worker 1 anew and waits until its blocks are reused; says which they are. */
    private BlockDescriptorList start(long epoch, Map<String, String> variables) throws IOException {
        long start = System.nanoTime();
        WorkerProcess started = WorkerProcess.start(worker(1, epoch),
                JavaProcess.of(RemoteWorker.class).environment(variables));
        first = 1000 * random.nextInt(3); // other content in the same places, or the same again
        started.order("take " + LONGEST);
        started.order("fill " + first);
        BlockDescriptorList named = BlockDescriptorList.fromJson(started.order("register " + first));
        one = started;
        await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(5)).atMost(RECOVERY).until(() -> open(1) == 1);
        slowestRecovery = Math.max(slowestRecovery, System.nanoTime() - start);
        dead = false;
        return named;
    }

    private void killWhileItIsRead(BlockDescriptorList named, int threads) throws Exception {
        List<Future<?>> running = new ArrayList<>();
        int goal = reads.get() + 1 + random.nextInt(30);
        for (int i = 0; i < threads; i++) {
            SplittableRandom chance = random.split();
            running.add(readers.submit(() -> readUntilItIsDead(named, chance)));
        }
        while (reads.get() < goal) {
            Thread.onSpinWait();
        }
        for (int i = random.nextInt(30_000); i > 0; i--) {
            Thread.onSpinWait();
        }
        killedInRead += reading.get() > 0 ? 1 : 0;
        Objects.requireNonNull(one).kill();
        dead = true;
        for (Future<?> reader : running) {
            reader.get(20, TimeUnit.SECONDS);
        }
    }

    private void readUntilItIsDead(BlockDescriptorList named, SplittableRandom chance) {
        for (int after = 0; after < AFTER_DEATH; after += dead ? 1 : 0) {
            int n = 1 + chance.nextInt(LONGEST);
            if (chance.nextBoolean()) {
                reused.addAndGet(open(n));
            } else {
                fetch(named, n);
            }
            reads.incrementAndGet();
        }
    }

    /** Opens a sequence, and returns how many of its blocks are reused, which next time they are not without worker 1. */
    private int open(int n) {
        int seed = first;
        int[] tokens = IntStream.rangeClosed(seed, seed + n * ToyWorker.PAGE).toArray();
        long start = begin();
        try (KvSequence sequence = zero.manager().open(tokens, "")) {
            end(start);
            int blocks = sequence.reusedTokens() / ToyWorker.PAGE;
            assertThat(Filling.firstOther(sequence.blocks().subList(0, blocks), seed)).isEmpty();
            return blocks;
        } finally {
            pool.clear();
        }
    }

    private void fetch(BlockDescriptorList named, int n) {
        List<RemoteBlock> its = zero.manager().getRemoteBlocksImmutable(named).subList(0, n);
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(n)) {
            long start = begin();
            try {
                zero.peering()
                        .transfers()
                        .get(new GetRequest(its, mine, ""), new TransferControl(MonotonicClock.SYSTEM, TIMEOUT));
            } catch (RemoteException | TransferException e) {
                refused.incrementAndGet();
                return;
            } finally {
                end(start);
            }
            assertThat(Filling.firstOther(mine, first)).isEmpty();
            fetched.addAndGet(n);
        }
    }

    private long begin() {
        reading.incrementAndGet();
        return System.nanoTime();
    }

    private void end(long start) {
        slowestRead.accumulateAndGet(System.nanoTime() - start, Math::max);
        reading.decrementAndGet();
    }
}
