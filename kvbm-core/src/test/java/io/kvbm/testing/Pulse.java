package io.kvbm.testing;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/** What a thread sees that only sleeps: how much later than it wants to this machine lets anything go on. */
public final class Pulse implements AutoCloseable {

    private static final long SLEEP_NANOS = 1_000_000;

    private final AtomicLong latest = new AtomicLong();
    private final Thread thread = Thread.ofPlatform().name("pulse").daemon().start(this::beat);

    private void beat() {
        while (!Thread.interrupted()) {
            long start = System.nanoTime();
            LockSupport.parkNanos(this, SLEEP_NANOS);
            latest.accumulateAndGet(System.nanoTime() - start - SLEEP_NANOS, Math::max);
        }
    }

    /** How late it has been at most since it was asked last, in nanoseconds. */
    public long latestNanos() {
        return latest.getAndSet(0);
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
