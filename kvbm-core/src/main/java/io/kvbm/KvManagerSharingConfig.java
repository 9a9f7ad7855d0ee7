package io.kvbm;

import java.security.SecureRandom;
import java.time.Duration;
import java.util.random.RandomGenerator;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ConfigException;
import io.kvbm.remote.ChecksumMode;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.SharingLimits;
import io.kvbm.transfer.RemoteTransport;

/**
 * What a manager shares with other workers, and what it takes from them.
 *
 * @param checksums of which blocks checksums are computed and compared
 * @param limits the bounds of what it knows of others and does for them
 * @param takeTimeout the time that opening a sequence may spend on taking blocks from others
 * @param memories where the memory of other workers is found
 * @param transport what reaches workers whose memory is not found; null where nothing does. It stays its maker's, who
 *        closes it after the manager
 * @param random numbers that others cannot guess
 */
public record KvManagerSharingConfig(ChecksumMode checksums, SharingLimits limits, Duration takeTimeout,
        PeerMemory.Source memories, @Nullable RemoteTransport transport, RandomGenerator random) {

    /** Refuses a time that is not above zero. */
    public KvManagerSharingConfig {
        if (!takeTimeout.isPositive()) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "takeTimeout is " + takeTimeout + "; give a time above zero");
        }
    }

    /** Starts a configuration. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects the values. */
    public static final class Builder {

        private static final SecureRandom RANDOM = new SecureRandom();

        private ChecksumMode checksums = ChecksumMode.SAMPLED;
        private SharingLimits limits = SharingLimits.DEFAULT;
        private Duration takeTimeout = Duration.ofSeconds(1);
        private PeerMemory.@Nullable Source memories;
        private @Nullable RemoteTransport transport;
        private RandomGenerator random = RANDOM;

        private Builder() {}

        /** Of which blocks checksums are computed and compared; of one in 64 unless set. */
        public Builder checksums(ChecksumMode value) {
            this.checksums = value;
            return this;
        }

        /** The bounds of what it knows of others and does for them; {@link SharingLimits#DEFAULT} unless set. */
        public Builder limits(SharingLimits value) {
            this.limits = value;
            return this;
        }

        /** The time that opening a sequence may spend on taking blocks from others; 1 s unless set. */
        public Builder takeTimeout(Duration value) {
            this.takeTimeout = value;
            return this;
        }

        /** Where the memory of other workers is found; on this host unless set. */
        public Builder memories(PeerMemory.Source value) {
            this.memories = value;
            return this;
        }

        /** What reaches workers whose memory is not found; nothing unless set. */
        public Builder transport(RemoteTransport value) {
            this.transport = value;
            return this;
        }

        /** Numbers that others cannot guess; the machine's unless set. */
        public Builder random(RandomGenerator value) {
            this.random = value;
            return this;
        }

        /** The configuration. */
        public KvManagerSharingConfig build() {
            return new KvManagerSharingConfig(checksums, limits, takeTimeout,
                    memories == null ? PeerMemory.sameHost(checksums) : memories, transport, random);
        }
    }
}
