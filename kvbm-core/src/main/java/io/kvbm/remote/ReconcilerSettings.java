package io.kvbm.remote;

import java.time.Duration;

import io.kvbm.error.ConfigException;

/**
 * The times and bounds of a {@link Reconciler}.
 *
 * @param addresses addresses that are watched at most
 * @param interval time between two questions to a worker that answers
 * @param firstRetry time after which a worker that did not answer is asked again first; it doubles with every failure
 * @param lastRetry what that time grows to at most
 * @param dead time without an answer after which a worker is let go
 * @param absent time after which a worker is let go that still answers, but is in no catalog
 * @param pages pages of events that are fetched from one worker in one go at most, so that the others have their turn
 */
public record ReconcilerSettings(int addresses, Duration interval, Duration firstRetry, Duration lastRetry,
        Duration dead, Duration absent, int pages) {

    /** 1024 addresses, asked every second, again after 250 ms to 4 s, dead after 6 s, absent after 60 s, 16 pages. */
    public static final ReconcilerSettings DEFAULT = new ReconcilerSettings(1024, Duration.ofSeconds(1),
            Duration.ofMillis(250), Duration.ofSeconds(4), Duration.ofSeconds(6), Duration.ofSeconds(60), 16);

    /** Refuses what is not positive. */
    public ReconcilerSettings {
        requirePositive("addresses", addresses);
        requirePositive("interval", interval.toNanos());
        requirePositive("firstRetry", firstRetry.toNanos());
        requirePositive("lastRetry", lastRetry.toNanos());
        requirePositive("dead", dead.toNanos());
        requirePositive("absent", absent.toNanos());
        requirePositive("pages", pages);
    }

    private static void requirePositive(String name, long value) {
        if (value < 1) {
            throw new ConfigException(ConfigException.Kind.INVALID, name + " is " + value + "; give 1 or more");
        }
    }
}
