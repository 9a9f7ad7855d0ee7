package io.kvbm.simulation;

import java.util.EnumMap;
import java.util.Map;

/** How often what has happened, so that a simulation in which something never does is noticed. */
final class Totals {

    /** What is counted. */
    enum What {
        EVENTS, SEQUENCES, TOKENS_REUSED, BLOCKS_TAKEN, PUTS, GETS, WRITES_FROM_OUTSIDE, REFUSALS, TORN_READS,
        STALE_READS, CRASHES, RESTARTS, STOPS, RIVALS
    }

    private final Map<What, Long> counts = new EnumMap<>(What.class);

    void add(What what, long count) {
        counts.merge(what, count, Long::sum);
    }

    void add(Totals other) {
        other.counts.forEach(this::add);
    }

    long leastOfAny() {
        long least = Long.MAX_VALUE;
        for (What what : What.values()) {
            least = Math.min(least, counts.getOrDefault(what, 0L));
        }
        return least;
    }

    @Override
    public String toString() {
        return counts.toString();
    }
}
