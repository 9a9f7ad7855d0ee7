package io.kvbm.testing;

import java.lang.management.ManagementFactory;
import java.util.function.IntConsumer;

import com.sun.management.ThreadMXBean;

import static org.assertj.core.api.Assertions.assertThat;

/** What calls allocate on the heap, once they are compiled. */
public final class Allocation {

    private static final int CALLS = 1_000_000;
    private static final int ROUNDS = 20;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Allocation() {}

    /** Refuses a call that allocates. Whoever compiles may do so once in a while, which is less than a byte a call. */
    public static void requireNone(IntConsumer call) {
        long least = Long.MAX_VALUE;
        for (int round = 0; round < ROUNDS && least >= CALLS; round++) {
            least = Math.min(least, allocatedBy(call));
        }
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
