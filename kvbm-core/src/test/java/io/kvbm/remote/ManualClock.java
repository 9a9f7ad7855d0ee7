package io.kvbm.remote;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

import io.kvbm.time.MonotonicClock;

/** A clock that stands still unless it is told how much time has passed. It wraps after a second, as clocks may. */
final class ManualClock implements MonotonicClock {

    private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 1_000_000_000L);

    @Override
    public long nanoTime() {
        return now.get();
    }

    void pass(Duration time) {
        now.addAndGet(time.toNanos());
    }
}
