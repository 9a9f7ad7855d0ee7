package io.kvbm.remote;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

import org.jspecify.annotations.Nullable;

/** What has been read from peers, and what was not and why. Safe for use by several threads. */
final class PeerCounters {

    private final @Nullable PeerCounters total;

    private final LongAdder blocksRead = new LongAdder();
    private final LongAdder bytesRead = new LongAdder();
    private final Map<ReadOutcome, LongAdder> misses = new EnumMap<>(ReadOutcome.class);

    /** Counts of all peers. */
    PeerCounters() {
        this(null);
    }

    /** Counts of one peer, which are counted among those of all too. */
    PeerCounters(@Nullable PeerCounters total) {
        this.total = total;
        for (ReadOutcome outcome : ReadOutcome.values()) {
            if (outcome != ReadOutcome.TAKEN) {
                misses.put(outcome, new LongAdder());
            }
        }
    }

    void count(ReadResult result, long bytesPerBlock) {
        blocksRead.add(result.blocks());
        bytesRead.add(result.blocks() * bytesPerBlock);
        LongAdder miss = misses.get(result.end());
        if (miss != null) {
            miss.increment();
        }
        if (total != null) {
            total.count(result, bytesPerBlock);
        }
    }

    PeerStats stats() {
        Map<ReadOutcome, Long> counts = new EnumMap<>(ReadOutcome.class);
        misses.forEach((outcome, count) -> counts.put(outcome, count.sum()));
        return new PeerStats(blocksRead.sum(), bytesRead.sum(), counts);
    }
}
