package io.kvbm.sample;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import static org.assertj.core.api.Assertions.assertThat;

/** Settings that cannot be: the start fails and says which one it was. */
class SamplePropertiesTest {

    @EnableConfigurationProperties(SampleProperties.class)
    static class Settings {}

    @ParameterizedTest
    @CsvSource({"page-size=0, from 1 to 64", "page-size=65, from 1 to 64", "parallelism=0, from 1 on",
        "max-waiting=-1, from 1 on", "max-prompt-characters=0, from 1 on", "patience=0s, above zero"})
    void isNamedWithItsLimit(String setting, String limit) {
        new ApplicationContextRunner().withUserConfiguration(Settings.class)
                .withPropertyValues("kvbm.sample." + setting)
                .run(context -> assertThat(context.getStartupFailure()).rootCause()
                        .hasMessageContaining("kvbm.sample." + setting.substring(0, setting.indexOf('=')))
                        .hasMessageContaining(limit));
    }
}
