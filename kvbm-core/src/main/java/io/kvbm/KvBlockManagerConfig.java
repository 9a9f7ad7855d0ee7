package io.kvbm;

import java.time.Duration;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ConfigException;
import io.kvbm.event.EventDelivery;
import io.kvbm.event.EventLog;
import io.kvbm.pool.LeakDetection;
import io.kvbm.pool.ReusePolicy;
import io.kvbm.tier.TierLimits;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferEngine;
import io.kvbm.transfer.TransferObserver;

/**
 * Everything a {@link KvBlockManager} is made from.
 *
 * @param runtime who the manager is
 * @param model what the model computes
 * @param hostLayout the host level (G2); null for a manager without one
 * @param deviceLayout the device level (G1); null for a manager without one
 * @param engines what moves bytes to and from memory that the processor does not reach
 * @param tierLimits how much may be copied between levels at once
 * @param transferObserver is told of the copies between levels and from peers
 * @param sharing what is shared with other workers; null for a manager that works for itself alone
 * @param reusePolicy which block is reused first
 * @param leakDetection how many calls have a leak net
 * @param eventCapacity events the log keeps, a power of two
 * @param eventDelivery who feeds the log's listeners
 * @param transferTimeout the time within which a transfer has to be over
 * @param checkTransferAddresses whether every transfer's addresses are compared, which is slow
 * @param clock the clock of deadlines
 */
public record KvBlockManagerConfig(KvManagerRuntimeConfig runtime, KvManagerModelConfig model,
        @Nullable KvManagerLayoutConfig hostLayout, @Nullable KvManagerLayoutConfig deviceLayout,
        List<TransferEngine> engines, TierLimits tierLimits, TransferObserver transferObserver,
        @Nullable KvManagerSharingConfig sharing, ReusePolicy reusePolicy,
        LeakDetection leakDetection, int eventCapacity, EventDelivery eventDelivery, Duration transferTimeout,
        boolean checkTransferAddresses, MonotonicClock clock) {

    /** Refuses values out of range with a {@link ConfigException} that names them. */
    public KvBlockManagerConfig {
        engines = List.copyOf(engines);
        if (eventCapacity < 1 || Integer.bitCount(eventCapacity) != 1) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "eventCapacity is " + eventCapacity + "; give a power of two");
        }
        if (!transferTimeout.isPositive()) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "transferTimeout is " + transferTimeout + "; give a time above zero");
        }
    }

    /** Starts a configuration. */
    public static Builder builder() {
        return new Builder();
    }

    /** Collects the values; {@link #build()} names what is missing. */
    public static final class Builder {

        private @Nullable KvManagerRuntimeConfig runtime;
        private @Nullable KvManagerModelConfig model;
        private @Nullable KvManagerLayoutConfig hostLayout;
        private @Nullable KvManagerLayoutConfig deviceLayout;
        private List<TransferEngine> engines = List.of();
        private TierLimits tierLimits = TierLimits.DEFAULT;
        private TransferObserver transferObserver = TransferObserver.NONE;
        private @Nullable KvManagerSharingConfig sharing;
        private ReusePolicy reusePolicy = ReusePolicy.LINEAGE;
        private LeakDetection leakDetection = LeakDetection.SAMPLED;
        private int eventCapacity = EventLog.DEFAULT_CAPACITY;
        private EventDelivery eventDelivery = EventDelivery.THREADS;
        private Duration transferTimeout = Duration.ofSeconds(30);
        private boolean checkTransferAddresses;
        private MonotonicClock clock = MonotonicClock.SYSTEM;

        private Builder() {}

        /** Who the manager is; required. */
        public Builder runtime(KvManagerRuntimeConfig value) {
            this.runtime = value;
            return this;
        }

        /** What the model computes; required. */
        public Builder model(KvManagerModelConfig value) {
            this.model = value;
            return this;
        }

        /** The host level; none unless set. */
        public Builder hostLayout(KvManagerLayoutConfig value) {
            this.hostLayout = value;
            return this;
        }

        /** The device level; none unless set. Sequences use it, with the host level beneath. */
        public Builder deviceLayout(KvManagerLayoutConfig value) {
            this.deviceLayout = value;
            return this;
        }

        /** What moves bytes to and from memory that the processor does not reach; they stay their maker's. */
        public Builder engines(List<? extends TransferEngine> value) {
            this.engines = List.copyOf(value);
            return this;
        }

        /** How much may be copied between levels at once; {@link TierLimits#DEFAULT} unless set. */
        public Builder tierLimits(TierLimits value) {
            this.tierLimits = value;
            return this;
        }

        /** Is told of the copies between levels and from peers; nobody unless set. */
        public Builder transferObserver(TransferObserver value) {
            this.transferObserver = value;
            return this;
        }

        /** What is shared with other workers; nothing unless set. */
        public Builder sharing(KvManagerSharingConfig value) {
            this.sharing = value;
            return this;
        }

        /** Which block is reused first; lineage unless set. */
        public Builder reusePolicy(ReusePolicy value) {
            this.reusePolicy = value;
            return this;
        }

        /** How many calls have a leak net; sampled unless set. */
        public Builder leakDetection(LeakDetection value) {
            this.leakDetection = value;
            return this;
        }

        /** Events the log keeps, a power of two; {@link EventLog#DEFAULT_CAPACITY} unless set. */
        public Builder eventCapacity(int value) {
            this.eventCapacity = value;
            return this;
        }

        /** Who feeds the listeners of the log; threads of its own unless set. */
        public Builder eventDelivery(EventDelivery value) {
            this.eventDelivery = value;
            return this;
        }

        /** The time within which a transfer has to be over; 30 s unless set. */
        public Builder transferTimeout(Duration value) {
            this.transferTimeout = value;
            return this;
        }

        /** Whether every transfer's addresses are compared, for debugging; off unless set. */
        public Builder checkTransferAddresses(boolean value) {
            this.checkTransferAddresses = value;
            return this;
        }

        /** The clock of deadlines; the machine's unless set. */
        public Builder clock(MonotonicClock value) {
            this.clock = value;
            return this;
        }

        /** The configuration. */
        public KvBlockManagerConfig build() {
            return new KvBlockManagerConfig(required("runtime", runtime), required("model", model), hostLayout,
                    deviceLayout, engines, tierLimits, transferObserver, sharing,
                    reusePolicy, leakDetection, eventCapacity, eventDelivery, transferTimeout, checkTransferAddresses,
                    clock);
        }

        private static <T> T required(String name, @Nullable T value) {
            if (value == null) {
                throw new ConfigException(ConfigException.Kind.MISSING,
                        name + " is missing; a manager cannot be made without it");
            }
            return value;
        }
    }
}
