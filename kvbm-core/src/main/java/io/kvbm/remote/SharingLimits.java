package io.kvbm.remote;

import io.kvbm.error.ConfigException;

/**
 * The bounds of what a worker knows of others and does for them.
 *
 * @param peers what it allows itself and its peers
 * @param leases how much it holds for others
 * @param indexedSets block sets of peers that are indexed at most
 * @param indexedBlocks blocks of peers that are indexed at most; 64 to 80 bytes each when all are used
 */
public record SharingLimits(PeerLimits peers, LeaseLimits leases, int indexedSets, int indexedBlocks) {

    /** {@link PeerLimits#DEFAULT}, {@link LeaseLimits#DEFAULT}, 256 block sets of 4,194,304 blocks. */
    public static final SharingLimits DEFAULT = new SharingLimits(PeerLimits.DEFAULT, LeaseLimits.DEFAULT, 256,
            1 << 22);

    private static final int MOST_SETS = 1 << 14;
    private static final int MOST_BLOCKS = 1 << 28;

    /** Refuses an index of nothing, and one that no array could hold. */
    public SharingLimits {
        requireWithin("indexedSets", indexedSets, MOST_SETS);
        requireWithin("indexedBlocks", indexedBlocks, MOST_BLOCKS);
    }

    private static void requireWithin(String name, int value, int most) {
        if (value < 1 || value > most) {
            throw new ConfigException(ConfigException.Kind.INVALID, name + " is " + value + "; give 1 to " + most);
        }
    }
}
