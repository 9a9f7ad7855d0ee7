package io.kvbm.remote;

import java.util.Map;

import org.jspecify.annotations.Nullable;

import io.kvbm.storage.CacheLevel;

/** One start of another worker in a {@link PeerIndex}: its block sets, by the level that its events name. */
final class IndexedPeer {

    final long workerId;
    final long epoch;
    private final Map<CacheLevel, HeldSlots> levels;

    IndexedPeer(long workerId, long epoch, Map<CacheLevel, HeldSlots> levels) {
        this.workerId = workerId;
        this.epoch = epoch;
        this.levels = levels;
    }

    /** The block set of this level, or null where it is not indexed. */
    @Nullable
    HeldSlots level(CacheLevel level) {
        return levels.get(level);
    }

    Iterable<HeldSlots> levels() {
        return levels.values();
    }
}
