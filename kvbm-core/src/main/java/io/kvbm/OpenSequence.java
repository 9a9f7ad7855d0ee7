package io.kvbm;

import java.time.Duration;

/**
 * A sequence that is open, as seen from outside.
 *
 * @param age how long it has been open
 * @param blocks how many blocks it holds
 * @param openedBy the name of the thread that has opened it; empty where that has none
 */
public record OpenSequence(Duration age, int blocks, String openedBy) {}
