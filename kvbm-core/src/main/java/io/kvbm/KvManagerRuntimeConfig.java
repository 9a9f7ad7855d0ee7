package io.kvbm;

import java.time.InstantSource;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ConfigException;

/**
 * Who a manager is, apart from what it manages.
 *
 * @param workerId the worker's number among all workers, unsigned
 * @param epoch when it was started, in wall milliseconds, unsigned; another start of the worker has another one
 * @param cancellationToken closes the manager when it is cancelled; the manager never cancels it
 */
public record KvManagerRuntimeConfig(long workerId, long epoch, CancellationToken cancellationToken) {

    /** Starts a configuration. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects the values; {@link #build()} names what is missing. */
    public static final class Builder {

        private @Nullable Long workerId;
        private @Nullable Long epoch;
        private CancellationToken cancellationToken = new CancellationToken();

        private Builder() {}

        /** The worker's number, unsigned; required. */
        public Builder workerId(long value) {
            this.workerId = value;
            return this;
        }

        /** When the worker was started, in wall milliseconds, unsigned; now unless set. */
        public Builder epoch(long value) {
            this.epoch = value;
            return this;
        }

        /** The token that closes the manager. */
        public Builder cancellationToken(CancellationToken value) {
            this.cancellationToken = value;
            return this;
        }

        /** The configuration. */
        public KvManagerRuntimeConfig build() {
            if (workerId == null) {
                throw new ConfigException(ConfigException.Kind.MISSING,
                        "workerId is missing; give every worker a number of its own");
            }
            return new KvManagerRuntimeConfig(workerId, epoch == null ? InstantSource.system().millis() : epoch,
                    cancellationToken);
        }
    }
}
