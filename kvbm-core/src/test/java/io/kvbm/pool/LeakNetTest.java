package io.kvbm.pool;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongSupplier;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.token.TokenBlock;

import static io.kvbm.pool.Content.blocks;
import static io.kvbm.pool.Content.hashes;
import static io.kvbm.pool.Content.register;
import static io.kvbm.pool.Content.slots;
import static org.assertj.core.api.Assertions.assertThat;

/** What becomes of handles that nobody closes. */
@Timeout(60)
class LeakNetTest {

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();

    private final Logger logger = (Logger) LoggerFactory.getLogger(LeakNet.class);
    private final ListAppender<ILoggingEvent> logged = new ListAppender<>();

    @BeforeEach
    void listenToTheLog() {
        logged.start();
        logger.addAppender(logged);
        logger.setAdditive(false);
    }

    @AfterEach
    void leaveTheLog() {
        logger.detachAppender(logged);
        logger.setAdditive(true);
    }

    private static void collectUntil(LongSupplier count, long expected) throws InterruptedException {
        for (int i = 0; count.getAsLong() < expected && i < 400; i++) {
            System.gc();
            Thread.currentThread().join(Duration.ofMillis(5));
        }
        assertThat(count.getAsLong()).isEqualTo(expected);
    }

    /** Long enough for the collector to have run several times. */
    private static void collect() throws InterruptedException {
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.currentThread().join(Duration.ofMillis(10));
        }
    }

    private static void pinAndForget(BlockPool pool) {
        MutableBlock block = pool.allocateBlocks(1).getFirst();
        assertThat(block.pin()).isNotNull();
        block.close();
    }

    @Test
    void aPinThatWasForgottenComesBack() throws InterruptedException {
        BlockPool pool = subject.pool(4);
        pinAndForget(pool);
        collectUntil(() -> pool.stats().leaked(), 1);
        assertThat(pool.availableBlocks()).isEqualTo(4);
        assertThat(logged.list).singleElement()
                .satisfies(event -> assertThat(event.getFormattedMessage()).contains("pin"));
    }

    @Test
    void blocksThatWereAllocatedAndForgottenComeBack() throws InterruptedException {
        BlockPool pool = subject.pool(4);
        forget(pool.allocateBlocks(3));
        collectUntil(() -> pool.stats().leaked(), 3);
        assertThat(pool.availableBlocks()).isEqualTo(4);
        assertThat(pool.stats().holders()).isZero();
        assertThat(logged.list).singleElement().satisfies(event -> {
            assertThat(event.getLevel()).isEqualTo(Level.WARN);
            assertThat(event.getFormattedMessage()).contains("[0, 1, 2]", "G2", "worker 1337", "try-with-resources");
            assertThat(Arrays.stream(event.getThrowableProxy().getStackTraceElementProxyArray()))
                    .as("where the handles were opened")
                    .anyMatch(frame -> frame.getStackTraceElement()
                            .getMethodName()
                            .equals("blocksThatWereAllocatedAndForgottenComeBack"));
        });
    }

    private static void forget(List<?> handles) {
        assertThat(handles).isNotEmpty();
    }

    @Test
    void sharedAndMatchedBlocksThatWereForgottenBecomeInactiveAndStayFindable() throws InterruptedException {
        BlockPool pool = subject.pool(4);
        List<TokenBlock> content = blocks(1, 2);
        forget(register(pool, content));
        collectUntil(() -> pool.stats().leaked(), 2);
        forget(pool.matchSequenceHashes(hashes(content)));
        collectUntil(() -> pool.stats().leaked(), 4);
        try (BlockList<ImmutableBlock> found = pool.matchSequenceHashes(hashes(content))) {
            assertThat(slots(found)).containsExactly(0, 1);
            forget(List.of(found.getFirst().share()));
            collectUntil(() -> pool.stats().leaked(), 5);
            assertThat(pool.stats().holders()).isEqualTo(2);
        }
        assertThat(logged.list).hasSize(3);
    }

    @Test
    void onlyTheRestOfAPartlyClosedListComesBack() throws InterruptedException {
        BlockPool pool = subject.pool(5);
        closeTwoOf(pool.allocateBlocks(5));
        // what was closed is somebody else's by now
        BlockList<MutableBlock> others = pool.allocateBlocks(2);
        collectUntil(() -> pool.stats().leaked(), 3);
        assertThat(others).noneMatch(MutableBlock::isClosed);
        assertThat(pool.stats().owned()).isEqualTo(2);
        assertThat(logged.list).singleElement()
                .satisfies(event -> assertThat(event.getFormattedMessage()).contains("[0, 2, 4]"));
        others.close();
    }

    private static void closeTwoOf(BlockList<MutableBlock> list) {
        list.get(1).close();
        list.get(3).close();
    }

    @Test
    void nothingComesBackWhileOneHandleOfTheCallIsReachable() throws InterruptedException {
        BlockPool pool = subject.pool(4);
        MutableBlock last = pool.allocateBlocks(4).getLast();
        collect();
        assertThat(pool.stats().leaked()).isZero();
        assertThat(pool.availableBlocks()).isZero();
        last.close();
        assertThat(pool.availableBlocks()).isEqualTo(1);
        forget(List.of(last));
        last = null;
        collectUntil(() -> pool.stats().leaked(), 3);
    }

    @Test
    void aHandleIsNotCaughtByTheNetOfTheCallItWasSharedFrom() throws InterruptedException {
        BlockPool pool = subject.pool(2);
        ImmutableBlock share = shareOf(register(pool, blocks(1, 1)));
        collectUntil(() -> pool.stats().leaked(), 1);
        assertThat(pool.stats().active()).isEqualTo(1);
        assertThat(share.sequenceHash()).isEqualTo(blocks(1, 1).getFirst().sequenceHash());
        share.close();
    }

    private static ImmutableBlock shareOf(BlockList<ImmutableBlock> list) {
        return list.getFirst().share();
    }

    @Test
    void registrationMovesTheHoldFromOneNetToTheOther() throws InterruptedException {
        BlockPool pool = subject.pool(3);
        List<TokenBlock> content = blocks(1, 2);
        BlockList<ImmutableBlock> registered = register(pool, content);
        collect();
        assertThat(pool.stats().leaked()).isZero();
        assertThat(pool.stats().active()).isEqualTo(2);
        registered.close();
        collect();
        assertThat(pool.stats().leaked()).isZero();
        assertThat(logged.list).isEmpty();
    }

    @Test
    void closedHandlesAreNoLeak() throws InterruptedException {
        BlockPool pool = subject.pool(4);
        for (int i = 0; i < 1000; i++) {
            pool.allocateBlocks(4).close();
            pool.allocateBlocks(2).forEach(MutableBlock::close);
        }
        collect();
        assertThat(pool.stats().leaked()).isZero();
        assertThat(logged.list).isEmpty();
    }

    @Test
    void leakOfAClosedPoolFreesItsMemory() throws InterruptedException {
        RecordedEvents events = new RecordedEvents();
        BlockPool pool = subject.track(PoolSubject.builder(2, 4).events(events));
        forget(register(pool, blocks(1, 1)));
        pool.close();
        events.take();
        collectUntil(() -> pool.stats().leaked(), 1);
        assertThat(pool.stats().free()).isEqualTo(2);
        assertThat(events.take()).hasSize(1);
    }

    @Test
    void leakWakesTheCallerThatWaitsForIt() throws InterruptedException {
        BlockPool pool = subject.pool(1);
        forget(pool.allocateBlocks(1));
        Thread collector = Thread.ofPlatform().start(() -> {
            while (pool.stats().leaked() == 0) {
                System.gc();
                Thread.onSpinWait();
            }
        });
        pool.allocateBlocks(1, Duration.ofSeconds(50)).close();
        collector.join();
        assertThat(pool.stats().leaked()).isEqualTo(1);
    }

    @Test
    void sampledNetsCatchOneCallIn128() throws InterruptedException {
        subject.holdersStay();
        BlockPool pool = subject.track(PoolSubject.builder(1280, 4).leakDetection(LeakDetection.SAMPLED));
        for (int i = 0; i < 1280; i++) {
            forget(pool.allocateBlocks(1));
        }
        collectUntil(() -> pool.stats().leaked(), 10);
        collect();
        assertThat(pool.stats().leaked()).isEqualTo(10);
        assertThat(pool.stats().owned()).isEqualTo(1270);
        assertThat(logged.list).hasSize(10);
    }

    @Test
    void handlesThatAreClosedWhileTheCollectorRunsComeBackOnce() throws InterruptedException {
        BlockPool pool = subject.pool(128);
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
            threads.add(Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 5000; i++) {
                    BlockList<MutableBlock> list = pool.allocateBlocks(8);
                    list.get(i % 8).close();
                    if (i % 1000 != 0) {
                        list.close();
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                System.gc();
                thread.join(Duration.ofMillis(2));
            }
        }
        collectUntil(() -> pool.stats().leaked(), 70);
        assertThat(pool.stats().free()).isEqualTo(128);
    }
}
