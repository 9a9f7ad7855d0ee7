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

    /** Takes blocks up unless there are too many with them. */
    boolean begin(int n, int most) {
        if (pending.addAndGet(n) <= most) {
            return true;
        }
        pending.addAndGet(-n);
        skipped.add(n);
        return false;
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
