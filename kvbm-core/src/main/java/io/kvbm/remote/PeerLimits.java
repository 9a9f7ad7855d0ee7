package io.kvbm.remote;

import java.time.Duration;

import io.kvbm.error.ConfigException;

/**
 * What a worker allows itself and its peers.
 *
 * @param peers workers that are known at once
 * @param blocksInFlight blocks that are being moved from or to one peer at once
 * @param failures failures within the window after which a peer is left alone
 * @param window time within which failures count together
 * @param pause time for which a peer is left alone first; it doubles with every further failure
 * @param longestPause what the pause grows to at most
 * @param linger time for which the memory of a peer that left stays mapped
 */
public record PeerLimits(int peers, int blocksInFlight, int failures, Duration window, Duration pause,
        Duration longestPause, Duration linger) {

    /** 256 peers, 4096 blocks in flight, 3 failures in 10 s for 30 s to 300 s, 3 s of lingering. */
    public static final PeerLimits DEFAULT = new PeerLimits(256, 4096, 3, Duration.ofSeconds(10),
            Duration.ofSeconds(30), Duration.ofSeconds(300), Duration.ofSeconds(3));

    /** Refuses limits below 1 and negative times. */
    public PeerLimits {
        ConfigException.requirePositive("peers", peers);
        ConfigException.requirePositive("blocksInFlight", blocksInFlight);
        ConfigException.requirePositive("failures", failures);
        ConfigException.requirePositive("window", window.toNanos());
        ConfigException.requirePositive("pause", pause.toNanos());
        ConfigException.requirePositive("longestPause", longestPause.toNanos());
        if (longestPause.compareTo(pause) < 0) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "longestPause is " + longestPause + ", below the pause of " + pause + "; give at least that");
        }
        if (linger.isNegative()) {
            throw new ConfigException(ConfigException.Kind.INVALID, "linger is " + linger + "; give 0 or more");
        }
    }
}
