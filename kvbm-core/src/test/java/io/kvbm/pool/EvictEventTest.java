package io.kvbm.pool;

import java.lang.management.ManagementFactory;

import com.sun.management.ThreadMXBean;
import org.junit.jupiter.api.Test;

import io.kvbm.storage.CacheLevel;

import static org.assertj.core.api.Assertions.assertThat;

/** What an event for the flight recorder costs. */
class EvictEventTest {

    private static final int CALLS = 1_000_000;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private long allocatedByCalls() {
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < CALLS; i++) {
            EvictEvent.happened(CacheLevel.G2, 1, i);
        }
        return threads.getCurrentThreadAllocatedBytes() - before;
    }

    @Test
    void whileNothingIsRecordedNoEventIsMade() {
        long least = Long.MAX_VALUE;
        for (int round = 0; round < 20 && least > CALLS; round++) {
            least = Math.min(least, allocatedByCalls());
        }
        assertThat(least).as("bytes of %d calls, once they are compiled", CALLS).isLessThan(CALLS);
    }
}
