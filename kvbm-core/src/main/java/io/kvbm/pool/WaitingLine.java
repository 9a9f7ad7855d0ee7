package io.kvbm.pool;

import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntSupplier;

import io.kvbm.time.MonotonicClock;

/**
 * The callers that wait for blocks. Only the first is ever served, so a large request is not starved by small ones
 * behind it. Guarded by the pool's lock.
 */
final class WaitingLine {

    private final ReentrantLock lock;
    private final MonotonicClock clock;
    private final int limit;
    private final ArrayDeque<Waiter> waiters = new ArrayDeque<>();

    WaitingLine(ReentrantLock lock, MonotonicClock clock, int limit) {
        this.lock = lock;
        this.clock = clock;
        this.limit = limit;
    }

    int size() {
        return waiters.size();
    }

    int limit() {
        return limit;
    }

    /**
     * Lets a caller wait behind the others.
     *
     * @param need how many blocks it would take now; asked again whenever something has changed
     */
    Waiter join(IntSupplier need) {
        Waiter waiter = new Waiter(need, lock.newCondition());
        waiters.add(waiter);
        return waiter;
    }

    void leave(Waiter waiter) {
        waiters.remove(waiter);
    }

    /** Whether this caller is the first and enough is available for it. */
    boolean isServed(Waiter waiter, int available) {
        return waiters.peek() == waiter && waiter.need.getAsInt() <= available;
    }

    /**
     * Waits until something has changed.
     *
     * @param deadline by the clock, in nanoseconds
     * @return false where the deadline had passed before
     */
    @SuppressWarnings("WaitNotInLoop") // the caller looks again whatever woke it
    boolean await(Waiter waiter, long deadline) throws InterruptedException {
        long remaining = deadline - clock.nanoTime();
        if (remaining <= 0) {
            return false;
        }
        var _ = waiter.turn.awaitNanos(remaining);
        return true;
    }

    /** Wakes the first caller where as many blocks are available as it waits for. */
    void wake(int available) {
        Waiter first = waiters.peek();
        if (first != null && first.need.getAsInt() <= available) {
            first.turn.signal();
        }
    }

    void wakeAll() {
        waiters.forEach(waiter -> waiter.turn.signal());
    }

    /** A caller that waits for blocks; each is itself alone, whatever it waits for. */
    static final class Waiter {

        private final IntSupplier need;
        private final Condition turn;

        private Waiter(IntSupplier need, Condition turn) {
            this.need = need;
            this.turn = turn;
        }
    }
}
