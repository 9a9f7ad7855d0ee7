package io.kvbm.sample.engine;

import java.time.Duration;

/**
 * What an engine takes on.
 *
 * @param patience how long a request waits for others to leave
 * @param parallelism how many requests are computed at once
 * @param waiting how many requests are waiting or computed at once
 * @param promptCharacters the characters of a prompt at most
 */
public record EngineLimits(Duration patience, int parallelism, int waiting, int promptCharacters) {}
