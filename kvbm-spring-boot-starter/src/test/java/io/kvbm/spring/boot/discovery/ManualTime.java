package io.kvbm.spring.boot.discovery;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.atomic.AtomicLong;

import io.kvbm.time.MonotonicClock;

/** Wall time, and time since the start, that stand still unless they are told how much has passed. */
final class ManualTime implements InstantSource, MonotonicClock {

    private final AtomicLong millis = new AtomicLong(1_700_000_000_000L);
    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 1_000_000_000L);

    @Override
    public Instant instant() {
        return Instant.ofEpochMilli(millis.get());
    }

    @Override
    public long nanoTime() {
        return nanos.get();
    }

    void pass(Duration time) {
        millis.addAndGet(time.toMillis());
        nanos.addAndGet(time.toNanos());
    }

    /** Somebody sets the clock. */
    void set(Duration by) {
        millis.addAndGet(by.toMillis());
    }
}
