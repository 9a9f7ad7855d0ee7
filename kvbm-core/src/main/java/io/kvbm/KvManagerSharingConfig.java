package io.kvbm;

import io.kvbm.remote.ChecksumMode;
import io.kvbm.remote.SharingLimits;

/**
 * What a manager shares with other workers, and what it takes from them.
 *
 * @param checksums of which blocks checksums are computed and compared
 * @param limits the bounds of what it knows of others and does for them
 */
public record KvManagerSharingConfig(ChecksumMode checksums, SharingLimits limits) {

    /** Checksums of one block in 64, and {@link SharingLimits#DEFAULT}. */
    public static final KvManagerSharingConfig DEFAULT = new KvManagerSharingConfig(ChecksumMode.SAMPLED,
            SharingLimits.DEFAULT);
}
