package io.kvbm.transfer;

import org.junit.jupiter.api.Test;

import io.kvbm.testing.Allocation;

/** What an event for the flight recorder costs. */
class TransferEventTest {

    @Test
    void whileNothingIsRecordedNoEventIsMade() {
        Allocation.requireNone(i -> TransferEvent.begun().ended("MEMCPY", i, i * 512L, false));
    }
}
