package io.kvbm.tier;

import java.time.Duration;

import org.junit.jupiter.api.Test;

import io.kvbm.error.ConfigException;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

class TierLimitsTest {

    @Test
    void limitsThatWouldCopyNothingAreRefusedByName() {
        Duration second = Duration.ofSeconds(1);
        assertThatThrownBy(() -> new TierLimits(0, 1, second)).isInstanceOf(ConfigException.class)
                .hasMessage("pendingBlocks is 0; give 1 or more");
        assertThatThrownBy(() -> new TierLimits(1, 0, second)).hasMessage("batchBlocks is 0; give 1 or more");
        assertThatThrownBy(() -> new TierLimits(1, 1, Duration.ZERO))
                .hasMessage("onboardTimeout is PT0S; give a time above zero");
    }
}
