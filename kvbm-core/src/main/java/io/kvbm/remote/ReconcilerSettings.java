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
        ConfigException.requirePositive("addresses", addresses);
        ConfigException.requirePositive("interval", interval.toNanos());
        ConfigException.requirePositive("firstRetry", firstRetry.toNanos());
        ConfigException.requirePositive("lastRetry", lastRetry.toNanos());
        ConfigException.requirePositive("dead", dead.toNanos());
        ConfigException.requirePositive("absent", absent.toNanos());
        ConfigException.requirePositive("pages", pages);
    }
}
