package io.kvbm.remote;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** What has been moved from and to one peer, and what was not and why. Safe for use by several threads. */
final class PeerCounters {

    private final LongAdder blocksRead = new LongAdder();
    private final LongAdder bytesRead = new LongAdder();
    private final Map<ReadOutcome, LongAdder> misses = new EnumMap<>(ReadOutcome.class);

    PeerCounters() {
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
    }

    PeerStats stats() {
        Map<ReadOutcome, Long> counts = new EnumMap<>(ReadOutcome.class);
        misses.forEach((outcome, count) -> counts.put(outcome, count.sum()));
        return new PeerStats(blocksRead.sum(), bytesRead.sum(), counts);
    }
}
