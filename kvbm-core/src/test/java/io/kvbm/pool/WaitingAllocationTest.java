package io.kvbm.pool;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.error.PoolException;

import static io.kvbm.pool.Content.blocks;
import static io.kvbm.pool.Content.register;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

/** Callers that wait for blocks. */
@Timeout(60)
class WaitingAllocationTest {

    private static final Duration LONG = Duration.ofSeconds(50);

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();
    private final List<Integer> served = new CopyOnWriteArrayList<>();

    /** A caller on a virtual thread that waits for n blocks, notes its number and gives them back when told. */
    private final class Caller {

        final Thread thread;
        volatile @Nullable BlockList<MutableBlock> blocks;
        final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

        Caller(BlockPool pool, int number, int n, Duration timeout) {
            int before = pool.stats().waiters();
            thread = Thread.ofVirtual().start(() -> {
                try {
                    blocks = pool.allocateBlocks(n, timeout);
                    served.add(number);
                } catch (InterruptedException | RuntimeException e) {
                    failure.set(e);
                }
            });
            while (pool.stats().waiters() <= before && thread.isAlive()) {
                Thread.onSpinWait();
            }
        }

        void awaitServed() throws InterruptedException {
            thread.join();
            assertThat(failure.get()).isNull();
        }

        void close() {
            BlockList<MutableBlock> taken = blocks;
            if (taken != null) {
                taken.close();
            }
        }
    }

    @Test
    void blocksThatAreThereAreTakenWithoutWaiting() throws InterruptedException {
        BlockPool pool = subject.pool(3);
        try (BlockList<MutableBlock> taken = pool.allocateBlocks(3, Duration.ZERO)) {
            assertThat(taken).hasSize(3);
        }
        assertThat(pool.allocateBlocks(0, Duration.ZERO)).isEmpty();
    }

    @Test
    void waitersAreServedInTheOrderInWhichTheyCame() throws InterruptedException {
        BlockPool pool = subject.pool(1);
        BlockList<MutableBlock> all = pool.allocateBlocks(1);
        List<Caller> callers = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            callers.add(new Caller(pool, i, 1, LONG));
        }
        assertThat(pool.stats().waiters()).isEqualTo(20);
        all.close();
        for (int i = 0; i < 20; i++) {
            callers.get(i).awaitServed();
            assertThat(served).hasSize(i + 1);
            callers.get(i).close();
        }
        assertThat(served).isSorted();
        assertThat(pool.stats().waiters()).isZero();
    }

    @Test
    void oneReturnServesAllItIsEnoughFor() throws InterruptedException {
        BlockPool pool = subject.pool(6);
        BlockList<MutableBlock> all = pool.allocateBlocks(6);
        List<Caller> callers = List.of(new Caller(pool, 0, 1, LONG), new Caller(pool, 1, 2, LONG),
                new Caller(pool, 2, 3, LONG));
        all.close();
        for (Caller caller : callers) {
            caller.awaitServed();
        }
        assertThat(pool.availableBlocks()).isZero();
        callers.forEach(Caller::close);
    }

    @Test
    void bigRequestIsNotStarvedBySmallOnesThatCameLater() throws InterruptedException {
        BlockPool pool = subject.pool(4);
        BlockList<MutableBlock> all = pool.allocateBlocks(4);
        Caller big = new Caller(pool, 0, 3, LONG);
        List<Caller> small = List.of(new Caller(pool, 1, 1, LONG), new Caller(pool, 2, 1, LONG));
        all.get(0).close();
        all.get(1).close();
        assertThat(pool.stats().waiters()).isEqualTo(3);
        assertThat(pool.availableBlocks()).isEqualTo(2);
        all.get(2).close();
        big.awaitServed();
        assertThat(served).containsExactly(0);
        all.close();
        for (Caller caller : small) {
            caller.awaitServed();
            caller.close();
        }
        big.close();
    }

    @Test
    void lateComerWithATimeoutDoesNotOvertake() throws InterruptedException {
        BlockPool pool = subject.pool(4);
        BlockList<MutableBlock> three = pool.allocateBlocks(3);
        Caller big = new Caller(pool, 0, 2, LONG);
        assertThat(pool.availableBlocks()).isEqualTo(1);
        assertExceeded(pool, 1, Duration.ofMillis(1));
        three.close();
        big.awaitServed();
        big.close();
    }

    private static void assertExceeded(BlockPool pool, int n, Duration timeout) {
        assertThatExceptionOfType(PoolException.class).isThrownBy(() -> pool.allocateBlocks(n, timeout).close())
                .extracting(PoolException::kind)
                .isEqualTo(PoolException.Kind.DEADLINE_EXCEEDED);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE / 1_000_000_000L, 1, 3_000_000})
    void requestThatIsNotServedInTimeTakesNothing(long nanos) {
        BlockPool pool = subject.pool(2);
        try (BlockList<MutableBlock> _ = pool.allocateBlocks(1)) {
            assertExceeded(pool, 2, nanos < -1 ? Duration.ofSeconds(Long.MIN_VALUE) : Duration.ofNanos(nanos));
            assertThat(pool.stats().waiters()).isZero();
            assertThat(pool.stats().allocationFailures()).isEqualTo(1);
            assertThat(pool.availableBlocks()).isEqualTo(1);
        }
    }

    @Test
    void deadlineIsThatOfThePoolsClock() throws InterruptedException {
        AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);
        BlockPool pool = subject.track(PoolSubject.builder(1, 4).clock(now::get));
        BlockList<MutableBlock> all = pool.allocateBlocks(1);
        Caller caller = new Caller(pool, 0, 1, Duration.ofMillis(1));
        caller.thread.join(Duration.ofMillis(20));
        assertThat(caller.thread.isAlive()).as("no time has passed on the clock").isTrue();
        now.addAndGet(1_000_000); // wraps
        caller.thread.join();
        assertThat(caller.failure.get()).isInstanceOfSatisfying(PoolException.class,
                e -> assertThat(e.kind()).isEqualTo(PoolException.Kind.DEADLINE_EXCEEDED));
        all.close();
    }

    @Test
    void waiterWhoseTimeIsUpMakesRoomForTheNext() throws InterruptedException {
        AtomicLong now = new AtomicLong();
        BlockPool pool = subject.track(PoolSubject.builder(2, 4).clock(now::get));
        BlockList<MutableBlock> one = pool.allocateBlocks(1);
        Caller big = new Caller(pool, 0, 2, Duration.ofMillis(5));
        Caller small = new Caller(pool, 1, 1, LONG);
        now.addAndGet(Duration.ofMillis(6).toNanos());
        small.awaitServed();
        big.thread.join();
        assertThat(big.failure.get()).isInstanceOf(PoolException.class);
        small.close();
        one.close();
    }

    @Test
    void interruptedWaiterTakesNothingAndMakesRoomForTheNext() throws InterruptedException {
        BlockPool pool = subject.pool(2);
        BlockList<MutableBlock> one = pool.allocateBlocks(1);
        Caller big = new Caller(pool, 0, 2, LONG);
        Caller small = new Caller(pool, 1, 1, LONG);
        big.thread.interrupt();
        small.awaitServed();
        big.thread.join();
        assertThat(big.failure.get()).isInstanceOf(InterruptedException.class);
        assertThat(pool.stats().waiters()).isZero();
        small.close();
        one.close();
    }

    @Test
    void interruptsThatMeetTheirTurnLoseNoBlock() throws InterruptedException {
        BlockPool pool = subject.pool(2);
        for (int round = 0; round < 500; round++) {
            BlockList<MutableBlock> all = pool.allocateBlocks(2);
            Caller first = new Caller(pool, 0, 2, LONG);
            Caller second = new Caller(pool, 1, 2, LONG);
            Thread interrupter = Thread.ofVirtual().start(first.thread::interrupt);
            all.close();
            first.thread.join();
            first.close();
            second.awaitServed();
            second.close();
            interrupter.join();
            assertThat(pool.availableBlocks()).isEqualTo(2);
        }
    }

    @Test
    void moreWaitersThanTheLimitAreRefused() throws InterruptedException {
        BlockPool pool = subject.track(PoolSubject.builder(1, 4).maxWaiters(2));
        BlockList<MutableBlock> all = pool.allocateBlocks(1);
        List<Caller> callers = List.of(new Caller(pool, 0, 1, LONG), new Caller(pool, 1, 1, LONG));
        assertThatExceptionOfType(PoolException.class).isThrownBy(() -> pool.allocateBlocks(1, LONG))
                .withMessageContaining("2 callers wait")
                .extracting(PoolException::kind)
                .isEqualTo(PoolException.Kind.TOO_MANY_WAITERS);
        all.close();
        for (Caller caller : callers) {
            caller.awaitServed();
            caller.close();
        }
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> PoolSubject.builder(1, 4).maxWaiters(-1));
    }

    @Test
    void requestThePoolCanNeverServeIsRefusedAtOnce() {
        BlockPool pool = subject.pool(2);
        assertThatExceptionOfType(PoolException.class).isThrownBy(() -> pool.allocateBlocks(3, LONG))
                .extracting(PoolException::kind)
                .isEqualTo(PoolException.Kind.REQUEST_TOO_LARGE);
        assertThatIllegalArgumentException().isThrownBy(() -> pool.allocateBlocks(-1, LONG));
        assertThatIllegalArgumentException().isThrownBy(() -> pool.allocateBlocks(-1));
    }

    @Test
    void closeEndsAllWaits() throws InterruptedException {
        BlockPool pool = subject.pool(1);
        BlockList<MutableBlock> all = pool.allocateBlocks(1);
        List<Caller> callers = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            callers.add(new Caller(pool, i, 1, LONG));
        }
        pool.close();
        for (Caller caller : callers) {
            caller.thread.join();
            assertThat(caller.failure.get()).isInstanceOf(ClosedException.class);
        }
        assertThat(pool.stats().waiters()).isZero();
        all.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"mutable", "shared", "pin", "unlisted", "duplicate"})
    void everyWayBackWakesAWaiter(String way) throws InterruptedException {
        BlockPool pool = subject.pool(1);
        if (way.equals("duplicate")) {
            pool = subject.pool(2);
            register(pool, blocks(1, 1)).close();
        }
        BlockPool waited = pool;
        Caller caller;
        switch (way) {
            case "mutable" -> {
                MutableBlock block = waited.allocateBlocks(1).getFirst();
                caller = new Caller(waited, 0, 1, LONG);
                block.close();
            }
            case "shared", "unlisted" -> {
                BlockList<ImmutableBlock> block = register(waited, blocks(1, 1));
                caller = new Caller(waited, 0, 1, LONG);
                if (way.equals("unlisted")) {
                    waited.clear();
                }
                block.close();
            }
            case "pin" -> {
                MutableBlock block = waited.allocateBlocks(1).getFirst();
                Pin pin = block.pin();
                block.close();
                caller = new Caller(waited, 0, 1, LONG);
                pin.close();
            }
            default -> {
                // the present block becomes held, the duplicate goes back
                BlockList<MutableBlock> other = waited.allocateBlocks(1);
                other.getFirst().applyTokenBlock(blocks(1, 1).getFirst());
                BlockList<ImmutableBlock> present = waited.matchSequenceHashes(blocks(1, 1).getFirst().sequenceHash());
                caller = new Caller(waited, 0, 1, LONG);
                waited.registerBlocks(other).close();
                caller.awaitServed();
                present.close();
            }
        }
        caller.awaitServed();
        caller.close();
    }

    @Test
    void crowdOfVirtualThreadsIsServedWithoutALossOrAHang() throws InterruptedException {
        BlockPool pool = subject.pool(8);
        List<Thread> threads = new ArrayList<>();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        for (int i = 0; i < 300; i++) {
            int n = 1 + i % 8;
            threads.add(Thread.ofVirtual().start(() -> {
                try {
                    for (int round = 0; round < 20; round++) {
                        try (BlockList<MutableBlock> taken = pool.allocateBlocks(n, LONG)) {
                            Thread.onSpinWait();
                            served.add(taken.size());
                        }
                    }
                } catch (Throwable e) {
                    failure.set(e);
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failure.get()).isNull();
        assertThat(served).hasSize(6000);
    }
}
