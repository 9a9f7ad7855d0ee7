package io.kvbm.pool;

import org.junit.jupiter.api.Test;

import io.kvbm.storage.CacheLevel;
import io.kvbm.testing.Allocation;

/** What an event for the flight recorder costs. */
class EvictEventTest {

    @Test
    void whileNothingIsRecordedNoEventIsMade() {
        Allocation.requireNone(i -> EvictEvent.happened(CacheLevel.G2, 1, i));
    }
}
