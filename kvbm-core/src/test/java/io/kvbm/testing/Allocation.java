package io.kvbm.testing;

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.function.IntConsumer;

import com.sun.management.ThreadMXBean;

import static org.assertj.core.api.Assertions.assertThat;

/** What calls allocate on the heap, once they are compiled. */
public final class Allocation {

    private static final int CALLS = 1_000_000;
    /** Within which calls are compiled also where the compiler has much to do. */
    private static final Duration LONGEST = Duration.ofSeconds(60);

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Allocation() {}

    /** Refuses a call that allocates: a million of them take less than a byte each, as the thread itself takes a few. */
    public static void requireNone(IntConsumer call) {
        long begun = System.nanoTime();
        long least;
        do {
            least = allocatedBy(call);
        } while (least >= CALLS && System.nanoTime() - begun < LONGEST.toNanos());
        assertThat(least).as("bytes of %d calls, once they are compiled", CALLS).isLessThan(CALLS);
    }

    private static long allocatedBy(IntConsumer call) {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < CALLS; i++) {
            call.accept(i);
        }
        return THREADS.getCurrentThreadAllocatedBytes() - before;
    }
}
