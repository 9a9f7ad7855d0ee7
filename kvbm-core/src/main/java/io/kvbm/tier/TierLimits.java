package io.kvbm.tier;

import java.time.Duration;

import io.kvbm.error.ConfigException;

/**
 * How much may be copied between levels at once.
 *
 * @param pendingBlocks blocks that may wait to be offloaded; what is registered while so many wait is not offloaded
 * @param batchBlocks blocks that are copied in one transfer, either way
 * @param onboardTimeout the time that opening a sequence waits for its blocks to be onboarded; what has not come is
 *        computed
 */
public record TierLimits(int pendingBlocks, int batchBlocks, Duration onboardTimeout) {

    /** What is used unless something else is given: 4096 blocks, 128 blocks, one second. */
    public static final TierLimits DEFAULT = new TierLimits(4096, 128, Duration.ofSeconds(1));

    /** Refuses values out of range with a {@link ConfigException} that names them. */
    public TierLimits {
        ConfigException.requirePositive("pendingBlocks", pendingBlocks);
        ConfigException.requirePositive("batchBlocks", batchBlocks);
        if (!onboardTimeout.isPositive()) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "onboardTimeout is " + onboardTimeout + "; give a time above zero");
        }
    }
}
