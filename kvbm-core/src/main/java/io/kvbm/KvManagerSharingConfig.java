package io.kvbm;

import io.kvbm.error.ConfigException;
import io.kvbm.remote.ChecksumMode;
import io.kvbm.remote.PeerLimits;

/**
 * What a manager shares with other workers, and what it takes from them.
 *
 * @param checksums of which blocks checksums are computed and compared
 * @param limits what it allows itself and its peers
 * @param indexedBlocks blocks of peers that are known at most
 */
public record KvManagerSharingConfig(ChecksumMode checksums, PeerLimits limits, int indexedBlocks) {

    /** Refuses an index of no blocks. */
    public KvManagerSharingConfig {
        if (indexedBlocks < 1) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "indexedBlocks is " + indexedBlocks + "; give 1 or more");
        }
    }

    /** Starts a configuration. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects the values. */
    public static final class Builder {

        private ChecksumMode checksums = ChecksumMode.SAMPLED;
        private PeerLimits limits = PeerLimits.DEFAULT;
        private int indexedBlocks = 1 << 22;

        private Builder() {}

        /** Of which blocks checksums are computed and compared; of one in 64 unless set. */
        public Builder checksums(ChecksumMode value) {
            this.checksums = value;
            return this;
        }

        /** What the manager allows itself and its peers; {@link PeerLimits#DEFAULT} unless set. */
        public Builder limits(PeerLimits value) {
            this.limits = value;
            return this;
        }

        /** Blocks of peers that are known at most; 4,194,304 unless set, which takes up to 300 MiB when all are used. */
        public Builder indexedBlocks(int value) {
            this.indexedBlocks = value;
            return this;
        }

        /** The configuration. */
        public KvManagerSharingConfig build() {
            return new KvManagerSharingConfig(checksums, limits, indexedBlocks);
        }
    }
}
