package io.kvbm;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import io.kvbm.layout.LayoutType;
import io.kvbm.pool.Leak;
import io.kvbm.pool.LeakDetection;
import io.kvbm.pool.LeakReport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** What is told of sequences that are open, and of those that nobody has closed. */
@Timeout(60)
class OpenSequencesTest {

    private final AtomicLong now = new AtomicLong(5);
    private final KvBlockManager manager = manager(LeakDetection.FULL);

    private KvBlockManager manager(LeakDetection detection) {
        return KvBlockManager.create(ToyModel.config(24, LayoutType.FULLY_CONTIGUOUS)
                .clock(now::get)
                .leakDetection(detection)
                .build());
    }

    @AfterEach
    void close() {
        manager.close();
    }

    private void pass(Duration time) {
        now.addAndGet(time.toNanos());
    }

    @Test
    void theOldestIsToldOfFirst() {
        try (KvSequence first = manager.open(new int[9], "")) {
            pass(Duration.ofSeconds(3));
            try (KvSequence second = manager.open(new int[2], "")) {
                pass(Duration.ofSeconds(1));
                String thread = Thread.currentThread().getName();
                assertThat(manager.openSequences()).containsExactly(new OpenSequence(Duration.ofSeconds(4), 3, thread),
                        new OpenSequence(Duration.ofSeconds(1), 1, thread));
                for (int i = 0; i < 4; i++) {
                    second.append(7);
                }
                assertThat(manager.openSequences().getLast().blocks()).isEqualTo(2);
            }
            assertThat(manager.openSequences()).hasSize(1);
            first.fork().close();
            assertThat(manager.openSequences()).hasSize(1);
        }
        assertThat(manager.openSequences()).isEmpty();
    }

    private static void forget(KvBlockManager manager) {
        assertThat(manager.open(new int[9], "").length()).isEqualTo(9);
    }

    private static void awaitLeaks(KvBlockManager manager, int leaks) {
        await().pollInterval(Duration.ofMillis(20)).until(() -> {
            System.gc();
            return manager.stats().sequencesLeaked() == leaks;
        });
    }

    @Test
    void oneThatNobodyHasClosedIsReportedWithWhoHasOpenedIt() {
        forget(manager);
        awaitLeaks(manager, 1);
        await().until(() -> !manager.leaks().isEmpty());
        pass(Duration.ofMinutes(1));
        Leak leak = manager.leaks().getFirst();
        assertThat(leak.what()).isEqualTo("sequence");
        assertThat(leak.blocks()).isEqualTo(3);
        assertThat(leak.age()).isEqualTo(Duration.ofMinutes(1));
        assertThat(leak.site()).anyMatch(call -> call.contains("OpenSequencesTest.forget"));
        assertThat(manager.openSequences()).isEmpty();
        assertThat(manager.pools().getFirst().stats().holders()).isZero();
    }

    @Test
    void theLastLeaksAreKeptWhereThereAreMany() {
        for (int i = 1; i <= LeakReport.CAPACITY + 5; i++) {
            forget(manager);
            if (i % 6 == 0) {
                awaitLeaks(manager, i);
            }
        }
        await().until(() -> manager.leaks().size() == LeakReport.CAPACITY);
        forget(manager);
        awaitLeaks(manager, LeakReport.CAPACITY + 6);
        assertThat(manager.leaks()).hasSize(LeakReport.CAPACITY);
    }

    @Test
    void ofMostSequencesIsNotNotedWhoHasOpenedThem() {
        try (KvBlockManager sampled = manager(LeakDetection.SAMPLED)) {
            sampled.open(new int[2], "").close(); // the first one is noted
            forget(sampled);
            awaitLeaks(sampled, 1);
            await().until(() -> !sampled.leaks().isEmpty());
            assertThat(sampled.leaks().getFirst().site()).isEmpty();
        }
    }
}
