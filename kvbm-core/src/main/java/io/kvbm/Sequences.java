package io.kvbm;

import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockHandle;
import io.kvbm.pool.LeakDetection;
import io.kvbm.pool.LeakReport;
import io.kvbm.time.MonotonicClock;

/** The sequences of a manager: which are open, and what all of them have asked for. Safe for use by several threads. */
final class Sequences {

    private static final Logger log = LoggerFactory.getLogger(Sequences.class);

    private final MonotonicClock clock;
    private final LeakDetection detection;
    private final LeakReport leaks;
    private final Set<Open> open = ConcurrentHashMap.newKeySet();
    private final AtomicInteger calls = new AtomicInteger();
    private final LongAdder opened = new LongAdder();
    private final LongAdder ended = new LongAdder();
    private final LongAdder leaked = new LongAdder();
    private final LongAdder tokensComputed = new LongAdder();
    private final LongAdder tokensFound = new LongAdder();
    private final LongAdder tokensFromPeers = new LongAdder();

    Sequences(MonotonicClock clock, LeakDetection detection, LeakReport leaks) {
        this.clock = clock;
        this.detection = detection;
        this.leaks = leaks;
    }

    /** A sequence that holds these blocks is open from now on. */
    Open opened(List<BlockHandle> blocks) {
        Open sequence = new Open(blocks, clock.nanoTime(), Thread.currentThread().getName(),
                detection.isDue(calls.getAndIncrement()) ? new Throwable("The sequence was opened here") : null);
        open.add(sequence);
        opened.increment();
        return sequence;
    }

    /** A request has asked for these tokens, of which so many are reused, and of those so many came from other workers. */
    void requested(int tokens, int reused, int fromPeers) {
        tokensComputed.add(tokens - reused);
        tokensFound.add(reused - fromPeers);
        tokensFromPeers.add(fromPeers);
    }

    ManagerStats stats() {
        long ends = ended.sum();
        long opens = opened.sum();
        long fromPeers = tokensFromPeers.sum();
        long reused = tokensFound.sum() + fromPeers; // summed from what never falls, so that no difference of two does
        return new ManagerStats(opens - ends, opens, tokensComputed.sum() + reused, reused, fromPeers, leaked.sum());
    }

    /** Those that are open, the oldest first. */
    List<OpenSequence> open() {
        long now = clock.nanoTime();
        return open.stream()
                .map(sequence -> new OpenSequence(Duration.ofNanos(now - sequence.since), sequence.blocks.size(),
                        sequence.openedBy))
                .sorted(Comparator.comparing(OpenSequence::age).reversed())
                .toList();
    }

    /** One that is open. */
    final class Open {

        private final List<BlockHandle> blocks; // changed by its sequence meanwhile, and only counted here
        private final long since;
        private final String openedBy;
        private final @Nullable Throwable site;

        private Open(List<BlockHandle> blocks, long since, String openedBy, @Nullable Throwable site) {
            this.blocks = blocks;
            this.since = since;
            this.openedBy = openedBy;
            this.site = site;
        }

        void closed() {
            open.remove(this);
            ended.increment();
        }

        /** It was never closed, and nobody has it any more. */
        void leaked() {
            closed();
            leaked.increment();
            leaks.add("sequence", blocks.size(), site);
            log.warn(
                    "A sequence with {} blocks was never closed; its blocks have been taken back. Close every sequence,"
                            + " for example with try-with-resources",
                    blocks.size(), site);
        }
    }
}
