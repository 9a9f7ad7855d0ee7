package io.kvbm.spring.boot;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.UnboundConfigurationPropertiesException;
import org.springframework.boot.context.properties.bind.handler.NoUnboundElementsBindHandler;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.core.io.ByteArrayResource;

import io.kvbm.spring.boot.autoconfigure.KvbmProperties;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** The settings that the documents show are settings that there are. */
class DocumentedYamlTest {

    private static final Path REPOSITORY = Path.of("..");
    private static final Pattern BLOCK = Pattern.compile("^ *```yaml[^\n]*\n(.*?)^ *```$",
            Pattern.MULTILINE | Pattern.DOTALL);

    /** Settings in a document. */
    record Settings(String document, String yaml) {

        @Override
        public String toString() {
            return document;
        }

        KvbmProperties bound() throws IOException {
            var sources = new YamlPropertySourceLoader().load(document,
                    new ByteArrayResource(yaml.getBytes(StandardCharsets.UTF_8)));
            return new Binder(ConfigurationPropertySources.from(sources))
                    .bind("kvbm", Bindable.of(KvbmProperties.class),
                            new NoUnboundElementsBindHandler(BindHandler.DEFAULT))
                    .get();
        }
    }

    static List<Settings> settings() throws IOException {
        List<Settings> settings = new ArrayList<>();
        try (Stream<Path> docs = Files.list(REPOSITORY.resolve("docs"))) {
            for (Path document : Stream.concat(Stream.of(REPOSITORY.resolve("README.md")),
                    docs.filter(path -> path.toString().endsWith(".md")).sorted()).toList()) {
                BLOCK.matcher(Files.readString(document))
                        .results()
                        .forEach(found -> settings.add(new Settings(document.toString(), found.group(1))));
            }
        }
        return settings;
    }

    @Test
    void theReadmesAreFound() throws IOException {
        assertThat(settings()).extracting(Settings::document).contains("../README.md");
    }

    @ParameterizedTest
    @MethodSource("settings")
    void theyNameAModelAndGiveItMemory(Settings settings) throws IOException {
        KvbmProperties bound = settings.bound();

        assertThat(bound.model()).hasNoNullFieldsOrPropertiesExcept("adapter", "outer", "headOrder", "rankLayout");
        assertThat(Objects.requireNonNull(bound.host().size()).toGigabytes()).isPositive();
    }

    @Test
    void oneThatThereIsNotIsNoticed() {
        assertThatThrownBy(() -> new Settings("none", "kvbm: { host: { sise: 8GB } }").bound())
                .hasRootCauseInstanceOf(UnboundConfigurationPropertiesException.class)
                .rootCause()
                .hasMessageContaining("kvbm.host.sise");
    }
}
