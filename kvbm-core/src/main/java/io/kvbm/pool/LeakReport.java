package io.kvbm.pool;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.time.MonotonicClock;

/** The last leaks, for whoever has to find what does not close. Safe for use by several threads. */
public final class LeakReport {

    /** How many leaks are kept. */
    public static final int CAPACITY = 32;

    private static final int SITE_FRAMES = 24;

    private final MonotonicClock clock;
    private final Deque<Entry> last = new ArrayDeque<>(CAPACITY);

    private record Entry(String what, int blocks, List<String> site, long at) {}

    /** Has no leaks yet. */
    public LeakReport(MonotonicClock clock) {
        this.clock = clock;
    }

    /**
     * Notes a leak, in the place of the oldest where there are many.
     *
     * @param site made where it was opened; null where that was not noted
     */
    public void add(String what, int blocks, @Nullable Throwable site) {
        List<String> frames = site == null ? List.of() : frames(site);
        synchronized (this) {
            if (last.size() == CAPACITY) {
                last.removeLast();
            }
            last.addFirst(new Entry(what, blocks, frames, clock.nanoTime()));
        }
        LeakEvent.happened(what, blocks, frames);
    }

    private static List<String> frames(Throwable site) {
        return Arrays.stream(site.getStackTrace()).limit(SITE_FRAMES).map(StackTraceElement::toString).toList();
    }

    /** The last leaks, the newest first. */
    public synchronized List<Leak> leaks() {
        long now = clock.nanoTime();
        return last.stream()
                .map(entry -> new Leak(entry.what, entry.blocks, Duration.ofNanos(now - entry.at), entry.site))
                .toList();
    }
}
