package io.kvbm.remote;

import java.time.Duration;

import io.kvbm.error.ConfigException;

/**
 * How much this worker holds for others.
 *
 * @param leasesPerWorker leases that one worker has at once
 * @param blocksPerWorker blocks that one worker has leased at once
 * @param longest time that a lease lasts at most
 * @param readPercent part of a pool's blocks, at least one block, that may be leased to be read; a block that is leased
 *        twice counts twice
 * @param quarantinePercent part of a pool's blocks, at least one block, that may be in quarantine before writers that
 *        write by themselves are refused
 */
public record LeaseLimits(int leasesPerWorker, int blocksPerWorker, Duration longest, int readPercent,
        int quarantinePercent) {

    /** 256 leases and 8192 blocks per worker, 60 s, 50 percent to be read and 5 in quarantine. */
    public static final LeaseLimits DEFAULT = new LeaseLimits(256, 8192, Duration.ofSeconds(60), 50, 5);

    /** Refuses what is not positive, and more than all of a pool. */
    public LeaseLimits {
        ConfigException.requirePositive("leasesPerWorker", leasesPerWorker);
        ConfigException.requirePositive("blocksPerWorker", blocksPerWorker);
        ConfigException.requirePositive("longest", longest.toNanos());
        requirePercent("readPercent", readPercent);
        requirePercent("quarantinePercent", quarantinePercent);
    }

    private static void requirePercent(String name, int value) {
        ConfigException.requirePositive(name, value);
        if (value > 100) {
            throw new ConfigException(ConfigException.Kind.INVALID, name + " is " + value + "; give 100 or less");
        }
    }
}
