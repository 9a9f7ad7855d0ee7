package io.kvbm.pool;

import java.util.List;

import org.junit.jupiter.api.Test;

import io.kvbm.testing.Allocation;

/** What an event for the flight recorder costs. */
class LeakEventTest {

    private static final List<String> SITE = List.of("com.example.Engine.open(Engine.java:42)", "and its caller");

    @Test
    void whileNothingIsRecordedNoEventIsMade() {
        Allocation.requireNone(i -> LeakEvent.happened("sequence", i, SITE));
    }
}
