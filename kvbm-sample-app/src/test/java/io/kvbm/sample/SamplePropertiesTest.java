package io.kvbm.sample;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import static org.assertj.core.api.Assertions.assertThat;

/** Settings that cannot be, for which the start fails and says which one it was; and what nobody has set. */
class SamplePropertiesTest {

    /** A row of the document's table: name and default. */
    private static final Pattern ROW = Pattern
            .compile("\\| `(kvbm\\.sample\\.[a-z-]+)` \\| .* \\| `(\\S+)` \\| [^|]* \\|");

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

    @Test
    void withoutSettingsWhatIsInTheDocumentHolds() throws IOException {
        Map<String, String> documented = Files.readAllLines(Path.of("..", "docs", "configuration.md"))
                .stream()
                .map(ROW::matcher)
                .filter(Matcher::matches)
                .collect(Collectors.toMap(row -> row.group(1), row -> row.group(2)));

        assertThat(documented).hasSize(SampleProperties.class.getRecordComponents().length);
        assertThat(bound(Map.of())).isEqualTo(bound(documented));
    }

    @Test
    void aBusyServiceRefusesWithinASecond() {
        assertThat(bound(Map.of()).patience()).isLessThan(Duration.ofSeconds(1));
    }

    private static SampleProperties bound(Map<String, String> settings) {
        return new Binder(new MapConfigurationPropertySource(settings)).bindOrCreate("kvbm.sample",
                SampleProperties.class);
    }
}
