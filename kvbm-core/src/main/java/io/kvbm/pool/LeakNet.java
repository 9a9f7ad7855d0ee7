package io.kvbm.pool;

import java.lang.ref.Cleaner;
import java.util.Arrays;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The net below handles that nobody closed. One net is cast per call, or per 128th call; it hangs on an anchor that all
 * handles of the call refer to, and when the collector has found the anchor unreachable, the holds that are still open
 * go back to the pool, with a warning that shows where they were opened. All methods but the collector's are called
 * under the pool's lock.
 */
final class LeakNet {

    private static final int SAMPLE_MASK = 127;

    private static final Logger log = LoggerFactory.getLogger(LeakNet.class);

    private final PoolHandles pool;
    private final Cleaner cleaner;
    private final int sampleMask;
    private int calls;

    LeakNet(PoolHandles pool, LeakDetection detection) {
        this.pool = pool;
        this.cleaner = Collector.CLEANER;
        this.sampleMask = detection == LeakDetection.FULL ? 0 : SAMPLE_MASK;
    }

    /** The anchor for the handles of one call, or null where this call is not sampled. */
    @Nullable
    Anchor cast(int handles) {
        if ((calls++ & sampleMask) != 0) {
            return null;
        }
        Net net = new Net(pool, handles);
        Anchor anchor = new Anchor(net);
        net.cleanable = cleaner.register(anchor, net);
        return anchor;
    }

    /** What the handles of one call hold on to. */
    static final class Anchor {

        private final Net net;

        private Anchor(Net net) {
            this.net = net;
        }

        void opened(int slot) {
            net.slots[net.open++] = slot;
        }

        void closed(int slot) {
            net.closed(slot);
        }
    }

    private static final class Net implements Runnable {

        private final PoolHandles pool;
        private final Throwable site = new Throwable("The handles were opened here");
        private final int[] slots;
        private int open;
        private Cleaner.@Nullable Cleanable cleanable;

        private Net(PoolHandles pool, int handles) {
            this.pool = pool;
            this.slots = new int[handles];
        }

        private void closed(int slot) {
            for (int i = open - 1; i >= 0; i--) {
                if (slots[i] == slot) {
                    slots[i] = slots[--open];
                    break;
                }
            }
            if (open == 0 && cleanable != null) {
                cleanable.clean();
            }
        }

        /** Called by the collector, or without any open slot when the last handle was closed. */
        @Override
        public void run() {
            int[] leaked = pool.reclaim(this::takeOpen);
            if (leaked.length > 0) {
                log.warn("Blocks {} of pool {} were never closed and have been taken back; close every handle, for"
                        + " example with try-with-resources", Arrays.toString(leaked), pool, site);
            }
        }

        private int[] takeOpen() {
            int[] taken = Arrays.copyOf(slots, open);
            open = 0;
            return taken;
        }
    }

    /** Started with the first net, not with the first class that names this one. */
    private static final class Collector {

        private static final Cleaner CLEANER = Cleaner
                .create(Thread.ofPlatform().name("kvbm-leak-net").daemon().factory());
    }
}
