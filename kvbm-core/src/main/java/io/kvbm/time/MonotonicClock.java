package io.kvbm.time;

/** A clock that never goes back: nanoseconds since an arbitrary origin, comparable by subtraction only. */
@FunctionalInterface
public interface MonotonicClock {

    /** The machine's own clock. */
    MonotonicClock SYSTEM = System::nanoTime;

    /** Nanoseconds since the clock's origin; may be negative and may wrap. */
    long nanoTime();
}
