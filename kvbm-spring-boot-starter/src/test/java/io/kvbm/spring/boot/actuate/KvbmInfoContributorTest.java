package io.kvbm.spring.boot.actuate;

import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.actuate.info.Info;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;

class KvbmInfoContributorTest {

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(
                    AutoConfigurations.of(KvbmAutoConfiguration.class, KvbmInfoContributorAutoConfiguration.class))
            .withPropertyValues(SmallCache.properties("kvbm.worker-id=18446744073709551615"));

    @Test
    void itTellsWhatDoesNotChange() {
        runner.run(context -> {
            Info.Builder info = new Info.Builder();
            context.getBean(KvbmInfoContributor.class).contribute(info);
            assertThat(info.build().getDetails()).isEqualTo(Map.of("kvbm",
                    Map.of("workerId", "18446744073709551615", "fingerprint",
                            context.getBean(KvBlockManager.class).fingerprint().toString(), "pageSize", 4, "host",
                            Map.of("blocks", 64, "blockBytes", (long) SmallCache.BLOCK_BYTES))));
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"management.info.kvbm.enabled=false", "management.info.defaults.enabled=false",
        "kvbm.enabled=false"})
    void aPropertySwitchesItOff(String property) {
        runner.withPropertyValues(property)
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(KvbmInfoContributor.class));
    }
}
