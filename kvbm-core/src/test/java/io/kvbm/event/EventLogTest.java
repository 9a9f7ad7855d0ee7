package io.kvbm.event;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.LongStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.event.EventLog.Subscription;
import io.kvbm.event.KvEvent.Removed;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.storage.CacheLevel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

@Timeout(60)
class EventLogTest {

    private static final Duration LONG = Duration.ofSeconds(20);

    private static Removed event(long number) {
        return new Removed(CacheLevel.G2, List.of(new RemovedBlock(number, 0)));
    }

    private static List<RemovedBlock> removed(int count) {
        return LongStream.range(0, count).mapToObj(hash -> new RemovedBlock(hash, 0)).toList();
    }

    private static void publish(EventLog log, int count) {
        for (int i = 0; i < count; i++) {
            log.publish(event(log.nextSequence()));
        }
    }

    @Test
    void everyListenerTakesEverythingInOrderFromItsSubscriptionOn() throws InterruptedException {
        try (EventLog log = new EventLog(1 << 14)) {
            publish(log, 5);
            Recorder first = new Recorder();
            Recorder second = new Recorder();
            Subscription a = log.subscribe("a", first);
            publish(log, 3000);
            Subscription b = log.subscribe("b", second);
            publish(log, 3000);
            assertThat(a.awaitDelivered(LONG)).isTrue();
            assertThat(b.awaitDelivered(LONG)).isTrue();
            first.assertRun(5, 6005);
            second.assertRun(3005, 6005);
            assertThat(first.gaps).isEmpty();
            assertThat(log.nextSequence()).isEqualTo(6005);
            assertThat(a.missed()).isZero();
        }
    }

    @Test
    void eventsComeAlsoAfterAPauseAndOneByOne() throws InterruptedException {
        try (EventLog log = new EventLog(16)) {
            Recorder recorder = new Recorder();
            Subscription subscription = log.subscribe("slow source", recorder);
            for (int i = 0; i < 50; i++) {
                publish(log, 1);
                assertThat(subscription.awaitDelivered(LONG)).isTrue();
            }
            recorder.assertRun(0, 50);
        }
    }

    @Test
    void listenerThatIsOvertakenIsToldOfTheGap() throws InterruptedException {
        try (EventLog log = new EventLog(8)) {
            Recorder recorder = new Recorder();
            Subscription subscription = log.subscribe("slow", recorder);
            recorder.gate.drainPermits();
            publish(log, 1);
            await().until(() -> recorder.gate.hasQueuedThreads());
            publish(log, 100);
            recorder.gate.release(1000);
            assertThat(subscription.awaitDelivered(LONG)).isTrue();
            assertThat(recorder.gaps).containsExactly(List.of(1L, 93L));
            assertThat(recorder.sequences).containsExactly(0L, 93L, 94L, 95L, 96L, 97L, 98L, 99L, 100L);
            assertThat(recorder.numbers).isEqualTo(recorder.sequences);
            assertThat(subscription.missed()).isEqualTo(92);
        }
    }

    @Test
    void eventsThatNameTooManyBlocksTogetherDropTheOldest() throws InterruptedException {
        try (EventLog log = new EventLog(1024)) {
            Recorder recorder = new Recorder();
            Subscription subscription = log.subscribe("slow", recorder);
            recorder.gate.drainPermits();
            publish(log, 1);
            await().until(() -> recorder.gate.hasQueuedThreads());
            List<RemovedBlock> many = removed(EventLog.MAX_BLOCKS / 4);
            for (int i = 0; i < 10; i++) {
                log.publish(new Removed(CacheLevel.G2, many));
            }
            recorder.gate.release(1000);
            assertThat(subscription.awaitDelivered(LONG)).isTrue();
            assertThat(recorder.gaps).containsExactly(List.of(1L, 7L));
            assertThat(recorder.sequences).containsExactly(0L, 7L, 8L, 9L, 10L);
            recorder.gate.drainPermits();
            // one event is kept whatever it names
            log.publish(new Removed(CacheLevel.G2,
                    removed(EventLog.MAX_BLOCKS + 1)));
            recorder.gate.release(1000);
            assertThat(subscription.awaitDelivered(LONG)).isTrue();
            assertThat(recorder.sequences).endsWith(11L);
            assertThat(recorder.gaps).hasSize(1);
        }
    }

    @Test
    void eventsThatAllListenersHaveTakenDoNotCountForTheNext() throws InterruptedException {
        try (EventLog log = new EventLog(8)) {
            Recorder fast = new Recorder();
            Subscription subscription = log.subscribe("fast", fast);
            List<RemovedBlock> many = removed(EventLog.MAX_BLOCKS / 2);
            for (int i = 0; i < 20; i++) {
                log.publish(new Removed(CacheLevel.G2, many));
                assertThat(subscription.awaitDelivered(LONG)).isTrue();
            }
            assertThat(fast.gaps).isEmpty();
            assertThat(fast.sequences).hasSize(20);
        }
    }

    @Test
    void publishingDoesNotWaitForAListenerThatHangs() {
        try (EventLog log = new EventLog(8)) {
            Recorder recorder = new Recorder();
            Subscription _ = log.subscribe("stuck", recorder);
            recorder.gate.drainPermits();
            publish(log, 1);
            await().until(() -> recorder.gate.hasQueuedThreads());
            long before = System.nanoTime();
            publish(log, 100_000);
            assertThat(System.nanoTime() - before).isLessThan(TimeUnit.SECONDS.toNanos(10));
            recorder.gate.release(1_000_000);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"exception", "error", "checked"})
    void listenerThatThrowsGoesOnWithTheNextEvents(String kind) throws InterruptedException {
        try (EventLog log = new EventLog(64)) {
            AtomicBoolean failing = new AtomicBoolean(true);
            Recorder recorder = new Recorder() {
                @Override
                public void onEvents(long firstSequence, List<KvEvent> events) {
                    if (failing.get()) {
                        EventLogTest.<RuntimeException>fail(kind);
                    }
                    super.onEvents(firstSequence, events);
                }
            };
            Subscription subscription = log.subscribe("failing", recorder);
            publish(log, 3);
            assertThat(subscription.awaitDelivered(LONG)).isTrue();
            assertThat(subscription.failures()).isPositive();
            failing.set(false);
            publish(log, 3);
            assertThat(subscription.awaitDelivered(LONG)).isTrue();
            recorder.assertRun(3, 6);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void fail(String kind) throws T {
        throw (T) switch (kind) {
            case "exception" -> new IllegalStateException("on purpose");
            case "error" -> new AssertionError("on purpose");
            default -> new Exception("on purpose");
        };
    }

    @Test
    void listenerThatFailsAtAGapStillTakesTheEventsBehindIt() throws InterruptedException {
        try (EventLog log = new EventLog(4)) {
            Recorder recorder = new Recorder() {
                @Override
                public void onGap(long expected, long next) {
                    throw new IllegalStateException("on purpose");
                }
            };
            Subscription subscription = log.subscribe("gap", recorder);
            recorder.gate.drainPermits();
            publish(log, 1);
            await().until(() -> recorder.gate.hasQueuedThreads());
            publish(log, 10);
            recorder.gate.release(1000);
            assertThat(subscription.awaitDelivered(LONG)).isTrue();
            assertThat(recorder.sequences).containsExactly(0L, 7L, 8L, 9L, 10L);
            assertThat(subscription.failures()).isEqualTo(1);
        }
    }

    @Test
    void wantedSaysWhetherAnybodyListens() {
        EventLog log = new EventLog(4);
        assertThat(log.wanted()).isFalse();
        Subscription a = log.subscribe("a", new Recorder());
        Subscription b = log.subscribe("b", new Recorder());
        assertThat(log.wanted()).isTrue();
        a.close();
        a.close();
        assertThat(log.wanted()).isTrue();
        b.close();
        assertThat(log.wanted()).isFalse();
        Subscription _ = log.subscribe("c", new Recorder());
        assertThat(log.wanted()).isTrue();
        log.close();
        assertThat(log.wanted()).isFalse();
        assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> log.subscribe("d", new Recorder()));
        assertThat(EventSink.NONE.wanted()).isFalse();
    }

    @Test
    void closedLogDeliversWhatItHolds() throws InterruptedException {
        EventLog log = new EventLog(64);
        Recorder recorder = new Recorder();
        Subscription subscription = log.subscribe("late", recorder);
        recorder.gate.drainPermits();
        publish(log, 1);
        await().until(() -> recorder.gate.hasQueuedThreads());
        publish(log, 20);
        log.close();
        log.close();
        recorder.gate.release(1000);
        assertThat(subscription.awaitDelivered(LONG)).isTrue();
        recorder.assertRun(0, 21);
    }

    @Test
    void closedSubscriptionTakesNothingMoreAndNobodyWaitsForIt() throws InterruptedException {
        try (EventLog log = new EventLog(64)) {
            Recorder recorder = new Recorder();
            Subscription subscription = log.subscribe("gone", recorder);
            recorder.gate.drainPermits();
            publish(log, 1);
            await().until(() -> recorder.gate.hasQueuedThreads());
            publish(log, 5);
            assertThat(subscription.awaitDelivered(Duration.ofMillis(1))).isFalse();
            subscription.close();
            assertThat(subscription.awaitDelivered(Duration.ofSeconds(Long.MAX_VALUE))).isFalse();
            recorder.gate.release(1000);
            Subscription witness = log.subscribe("witness", new Recorder());
            publish(log, 5);
            assertThat(witness.awaitDelivered(LONG)).isTrue();
            assertThat(recorder.sequences).hasSizeLessThanOrEqualTo(1);
        }
    }

    @Test
    void listenerMayCloseItsOwnSubscription() throws InterruptedException {
        try (EventLog log = new EventLog(64)) {
            CountDownLatch ready = new CountDownLatch(1);
            List<Subscription> own = new ArrayList<>();
            Recorder recorder = new Recorder() {
                @Override
                public void onEvents(long firstSequence, List<KvEvent> events) {
                    super.onEvents(firstSequence, events);
                    try {
                        ready.await();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                    own.getFirst().close();
                }
            };
            own.add(log.subscribe("once", recorder));
            publish(log, 1);
            ready.countDown();
            await().until(() -> !log.wanted());
            publish(log, 5);
            assertThat(recorder.sequences).containsExactly(0L);
        }
    }

    @Test
    void subscriptionsThatComeAndGoWhileEventsAreMadeSeeRunsWithoutHoles() throws InterruptedException {
        try (EventLog log = new EventLog(1 << 16)) {
            AtomicBoolean done = new AtomicBoolean();
            Thread publisher = Thread.ofPlatform().start(() -> {
                while (!done.get()) {
                    publish(log, 10);
                    LockSupport.parkNanos(50_000);
                }
            });
            for (int round = 0; round < 300; round++) {
                Recorder recorder = new Recorder();
                long before = log.nextSequence();
                try (Subscription subscription = log.subscribe("r" + round, recorder)) {
                    assertThat(subscription.awaitDelivered(LONG)).isTrue();
                }
                // a delivery that is under way may still add to the run
                List<Long> taken = List.copyOf(recorder.sequences);
                long first = taken.isEmpty() ? before : taken.getFirst();
                assertThat(first).isGreaterThanOrEqualTo(before);
                assertThat(taken)
                        .isEqualTo(LongStream.range(first, first + taken.size()).boxed().toList());
            }
            done.set(true);
            publisher.join();
            await().until(() -> !log.wanted());
        }
    }

    @Test
    void eventsOfSeveralPublishersHaveOneOrderForAllListeners() throws InterruptedException {
        try (EventLog log = new EventLog(1 << 16)) {
            Recorder a = new Recorder();
            Recorder b = new Recorder();
            Subscription first = log.subscribe("a", a);
            Subscription second = log.subscribe("b", b);
            AtomicLong numbers = new AtomicLong();
            List<Thread> publishers = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                publishers.add(Thread.ofVirtual().start(() -> {
                    for (int n = 0; n < 5000; n++) {
                        log.publish(event(numbers.getAndIncrement()));
                    }
                }));
            }
            for (Thread publisher : publishers) {
                publisher.join();
            }
            assertThat(first.awaitDelivered(LONG)).isTrue();
            assertThat(second.awaitDelivered(LONG)).isTrue();
            assertThat(a.numbers).isEqualTo(b.numbers).hasSize(15_000).doesNotHaveDuplicates();
            assertThat(a.gaps).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 3, 6, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void capacityThatIsNoPowerOfTwoIsRefused(int capacity) {
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> new EventLog(capacity))
                .withMessageContaining(String.valueOf(capacity));
    }

    @Test
    void capacityAndListenersHaveTheirBounds() {
        try (EventLog log = new EventLog()) {
            assertThat(log.capacity()).isEqualTo(EventLog.DEFAULT_CAPACITY);
            for (int i = 0; i < EventLog.MAX_LISTENERS; i++) {
                Subscription _ = log.subscribe("l" + i, new Recorder());
            }
            assertThatExceptionOfType(ConfigException.class)
                    .isThrownBy(() -> log.subscribe("one more", new Recorder()));
        }
    }

    /** Writes down what it is told, as fast as its gate lets it. */
    private static class Recorder implements EventListener {

        final Semaphore gate = new Semaphore(1_000_000);
        final List<Long> sequences = new CopyOnWriteArrayList<>();
        final List<Long> numbers = new CopyOnWriteArrayList<>();
        final List<List<Long>> gaps = new CopyOnWriteArrayList<>();

        @Override
        public void onEvents(long firstSequence, List<KvEvent> events) {
            gate.acquireUninterruptibly();
            List<Long> taken = new ArrayList<>();
            List<Long> named = new ArrayList<>();
            for (int i = 0; i < events.size(); i++) {
                taken.add(firstSequence + i);
                named.add(((Removed) events.get(i)).blocks().getFirst().sequenceHash());
            }
            sequences.addAll(taken);
            numbers.addAll(named);
        }

        @Override
        public void onGap(long expected, long next) {
            gaps.add(List.of(expected, next));
        }

        void assertRun(long from, long to) {
            assertThat(sequences).hasSize((int) (to - from));
            for (int i = 0; i < sequences.size(); i++) {
                assertThat(sequences.get(i)).isEqualTo(from + i);
                assertThat(numbers.get(i)).isEqualTo(from + i);
            }
        }
    }

    @Test
    void byHandNothingIsDeliveredBeforeItIsAskedForAndThenAllOfIt() {
        EventLog log = new EventLog(4, EventDelivery.BY_HAND);
        Recorder recorder = new Recorder();
        Subscription subscription = log.subscribe("by hand", recorder);
        publish(log, 6);
        assertThat(recorder.sequences).isEmpty();
        log.deliver();
        assertThat(recorder.sequences).containsExactly(2L, 3L, 4L, 5L);
        assertThat(subscription.missed()).isEqualTo(2);
        publish(log, 1);
        log.close();
        log.deliver();
        assertThat(recorder.sequences).endsWith(5L, 6L);
    }

    @Test
    void whatThreadsDeliverCannotBeDeliveredByHandToo() {
        try (EventLog log = new EventLog(4)) {
            assertThatExceptionOfType(IllegalStateException.class).isThrownBy(log::deliver)
                    .withMessageContaining("THREADS");
        }
    }
}
