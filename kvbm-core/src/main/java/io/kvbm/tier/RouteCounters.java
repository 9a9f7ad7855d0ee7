package io.kvbm.tier;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** Counts what becomes of the blocks of one route. */
final class RouteCounters {

    private final LongAdder copies = new LongAdder();
    private final LongAdder blocks = new LongAdder();
    private final LongAdder bytes = new LongAdder();
    private final LongAdder nanos = new LongAdder();
    private final LongAdder skipped = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final AtomicLong pending = new AtomicLong();

    /** Takes blocks up, as many of these as are not too many with those that wait; the others count as skipped. */
    int begin(int n, int most) {
        long before = pending.getAndUpdate(waiting -> waiting + Math.clamp(most - waiting, 0, n));
        int taken = Math.clamp(most - before, 0, n);
        skipped.add(n - taken);
        return taken;
    }

    void end(int n) {
        pending.addAndGet(-n);
    }

    void copied(int n, long size, long time) {
        copies.increment();
        blocks.add(n);
        bytes.add(size);
        nanos.add(time);
    }

    void skipped(int n) {
        skipped.add(n);
    }

    void failed(int n) {
        failed.add(n);
    }

    RouteStats stats() {
        return new RouteStats(copies.sum(), blocks.sum(), bytes.sum(), nanos.sum(), skipped.sum(), failed.sum(),
                pending.get());
    }
}
