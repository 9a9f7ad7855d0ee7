package io.kvbm.remote;

import java.util.ArrayDeque;

import io.kvbm.time.MonotonicClock;

/**
 * Whether a peer that has failed is tried again. After some failures within a window it is left alone for a pause; the
 * first attempt after the pause decides: a success forgets everything, a failure starts a pause twice as long. Guarded
 * by the peer's lock.
 */
final class PeerBreaker {

    private final PeerLimits limits;
    private final MonotonicClock clock;
    private final ArrayDeque<Long> failures = new ArrayDeque<>();
    private boolean open;
    private boolean probing;
    private long pause;
    private long until;

    PeerBreaker(PeerLimits limits, MonotonicClock clock) {
        this.limits = limits;
        this.clock = clock;
    }

    /** Whether an attempt may be made now; after a pause only one until it has ended. */
    boolean tryAttempt() {
        boolean may = mayAttempt();
        probing |= open && may;
        return may;
    }

    /** Whether an attempt would be permitted now. */
    boolean mayAttempt() {
        return !open || (!probing && clock.nanoTime() - until >= 0);
    }

    /** An attempt from before the pause that ends within it decides nothing. */
    void succeeded() {
        if (open && !probing) {
            return;
        }
        open = false;
        probing = false;
        failures.clear();
    }

    void failed() {
        long now = clock.nanoTime();
        if (open) {
            if (probing) {
                pause = Math.min(2 * pause, limits.longestPause().toNanos());
                until = now + pause;
                probing = false;
            }
            return;
        }
        failures.add(now);
        while (now - failures.getFirst() > limits.window().toNanos() || failures.size() > limits.failures()) {
            failures.removeFirst();
        }
        if (failures.size() == limits.failures()) {
            open = true;
            pause = limits.pause().toNanos();
            until = now + pause;
            failures.clear();
        }
    }

    boolean isOpen() {
        return open;
    }
}
