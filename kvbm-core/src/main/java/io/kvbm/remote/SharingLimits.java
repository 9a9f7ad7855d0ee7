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

    /** Refuses an index of nothing. */
    public SharingLimits {
        if (indexedSets < 1 || indexedBlocks < 1) {
            throw new ConfigException(ConfigException.Kind.INVALID, "indexedSets is " + indexedSets
                    + " and indexedBlocks " + indexedBlocks + "; give 1 or more of each");
        }
    }
}
