package io.kvbm;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;

import io.kvbm.time.MonotonicClock;

/** A clock that is set by hand. As a copy asks for the time every few blocks, something can happen in the middle of one. */
final class CopyClock implements MonotonicClock {

    private record Event(BooleanSupplier due, Runnable event) {}

    private static final Event NONE = new Event(() -> false, () -> {});

    private final AtomicLong now = new AtomicLong();
    private final AtomicReference<Event> next = new AtomicReference<>(NONE);

    void advance(Duration time) {
        now.addAndGet(time.toNanos());
    }

    /** Lets something happen once, in the thread that first asks for the time when it is due. */
    void when(BooleanSupplier due, Runnable event) {
        next.set(new Event(due, event));
    }

    @Override
    public long nanoTime() {
        Event event = next.get();
        if (event.due().getAsBoolean() && next.compareAndSet(event, NONE)) {
            event.event().run();
        }
        return now.get();
    }
}
