package io.kvbm.remote;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

import org.jspecify.annotations.Nullable;

/**
 * What is known of one address: who answers there, since when nobody does, and when it is asked next. Guarded by the
 * reconciler's lock, but for the turn.
 */
final class Watch {

    final String address;
    final PeerLink link;

    /** Held by whoever asks; nobody asks an address twice at once. */
    final AtomicBoolean turn = new AtomicBoolean();

    /** Who answered last; null where nobody has. */
    PeerAnswer.@Nullable State answer;

    /** Whether the catalog has it. */
    boolean listed = true;

    private long answeredAt;
    private long absentSince;
    private long nextAt;
    private int failures;

    Watch(String address, PeerLink link, long now) {
        this.address = address;
        this.link = link;
        this.answeredAt = now;
        this.nextAt = now;
    }

    boolean isDue(long now) {
        return now - nextAt >= 0;
    }

    void listed(boolean value, long now) {
        if (listed && !value) {
            absentSince = now;
        }
        if (!listed && value) {
            nextAt = now;
        }
        listed = value;
    }

    void answered(PeerAnswer.State state, long now, Duration interval) {
        answer = state;
        answeredAt = now;
        failures = 0;
        nextAt = now + interval.toNanos();
    }

    void failed(long now, ReconcilerSettings settings) {
        long pause = settings.firstRetry().toNanos() << Math.min(failures, 20);
        failures++;
        nextAt = now + Math.min(pause, settings.lastRetry().toNanos());
    }

    boolean isSilentFor(Duration time, long now) {
        return failures > 0 && now - answeredAt >= time.toNanos();
    }

    boolean isAbsentFor(Duration time, long now) {
        return !listed && now - absentSince >= time.toNanos();
    }

    /** Whether it did not answer when it was asked last. */
    boolean isSilent() {
        return failures > 0;
    }
}
