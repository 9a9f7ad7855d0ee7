package io.kvbm.pool;

import java.lang.ref.Cleaner;
import java.util.Arrays;
import java.util.List;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The net below holds that nobody gave back. One net is cast per call, or per 128th call; it hangs on the list of the
 * call, to which all its handles refer, and when the collector has found the list unreachable, the holds that are still
 * open go back to the pool, with a warning that shows where they were opened.
 */
final class LeakNet {

    private static final Logger log = LoggerFactory.getLogger(LeakNet.class);

    private final PoolHandles pool;
    private final LeakDetection detection;
    private final LeakReport report;
    private int calls;

    LeakNet(PoolHandles pool, LeakDetection detection, LeakReport report) {
        this.pool = pool;
        this.detection = detection;
        this.report = report;
    }

    /** Whether the next call gets a net. Called under the pool's lock. */
    boolean isDue() {
        return detection.isDue(calls++);
    }

    /**
     * Casts a net below a list of handles or pins.
     *
     * @param holds the list's own array, which says what is still open
     * @return what calls the net off once nothing is
     */
    Runnable cast(List<?> list, int[] holds) {
        return Collector.CLEANER.register(list, new Net(pool, holds, report))::clean;
    }

    private static final class Net implements Runnable {

        private final PoolHandles pool;
        private final int[] holds;
        private final LeakReport report;
        private final Throwable site = new Throwable("The handles were opened here");

        private Net(PoolHandles pool, int[] holds, LeakReport report) {
            this.pool = pool;
            this.holds = holds;
            this.report = report;
        }

        /** Called by the collector, or without anything open when the last hold was given back. */
        @Override
        public void run() {
            int[] leaked = pool.reclaim(holds);
            if (leaked.length > 0) {
                report.add("handles or pins of the " + pool.blocks().level().tier() + " level", leaked.length, site);
                log.warn(
                        "Blocks {} of pool {} were never closed and have been taken back; close every handle and pin, for"
                                + " example with try-with-resources",
                        Arrays.toString(leaked), pool, site);
            }
        }
    }

    /** Started with the first net, not with the first class that names this one. */
    private static final class Collector {

        private static final Cleaner CLEANER = Cleaner
                .create(Thread.ofPlatform().name("kvbm-leak-net").daemon().factory());
    }
}
