package io.kvbm.pool;

import java.time.Duration;
import java.util.List;

/**
 * Something that was never closed and was taken back.
 *
 * @param what a sequence, or the handles and pins of a pool
 * @param blocks how many blocks it held
 * @param age how long ago it was taken back
 * @param site the calls by which it was opened, innermost first; empty where they were not noted, as only those of some are
 *        unless leaks are detected in full
 */
public record Leak(String what, int blocks, Duration age, List<String> site) {

    /** Copies the list. */
    public Leak {
        site = List.copyOf(site);
    }
}
