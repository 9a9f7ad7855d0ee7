package io.kvbm.remote;

import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.RemoteException;

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

    /** Whether another worker with the id of the one that answers was found when it was asked last. */
    boolean disputed;

    /** Whether nobody said who is there when it was asked last. */
    boolean silent;

    /** What was said aloud of it since it was of use last. */
    final Set<RemoteException.Kind> complaints = EnumSet.noneOf(RemoteException.Kind.class);

    private long answeredAt;
    private long absentSince;
    private long nextAt;
    private long pause;

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

    void answered(PeerAnswer.State state, long now) {
        answer = state;
        answeredAt = now;
        silent = false;
    }

    /** Nothing is left to be learnt of who answers. */
    void succeeded(long now, Duration interval) {
        pause = 0;
        complaints.clear();
        nextAt = now + interval.toNanos();
    }

    /** It was silent, or what it said was of no use. */
    void failed(long now, ReconcilerSettings settings) {
        long longer = pause == 0 ? settings.firstRetry().toNanos() : 2 * pause;
        pause = Math.min(longer, settings.lastRetry().toNanos());
        nextAt = now + pause;
    }

    boolean isSilentFor(Duration time, long now) {
        return silent && now - answeredAt >= time.toNanos();
    }

    boolean isAbsentFor(Duration time, long now) {
        return !listed && now - absentSince >= time.toNanos();
    }
}
