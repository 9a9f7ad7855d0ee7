package io.kvbm.spring.boot;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import org.junit.jupiter.api.Test;
import org.springframework.boot.actuate.autoconfigure.endpoint.EndpointAutoConfiguration;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.convert.ApplicationConversionService;
import org.springframework.boot.micrometer.metrics.autoconfigure.MetricsAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.KvSequence;
import io.kvbm.spring.boot.actuate.KvbmEndpoint;
import io.kvbm.spring.boot.actuate.KvbmEndpointAutoConfiguration;
import io.kvbm.spring.boot.autoconfigure.KvBlockManagerConfigCustomizer;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.spring.boot.discovery.KvbmCluster;
import io.kvbm.spring.boot.metrics.KvbmMetricsAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** The document says what the code does: its tables are those of the metadata and of the registry. */
class ConfigurationDocumentTest {

    private static final Path DOCUMENT = Path.of("..", "docs", "configuration.md");
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withInitializer(context -> context.getBeanFactory()
                    .setConversionService(ApplicationConversionService.getSharedInstance()))
            .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class, MetricsAutoConfiguration.class,
                    KvbmMetricsAutoConfiguration.class, EndpointAutoConfiguration.class,
                    KvbmEndpointAutoConfiguration.class))
            .withBean(SimpleMeterRegistry.class)
            .withBean(KvManagerSharingConfig.class, () -> KvManagerSharingConfig.builder().build())
            .withBean(KvbmCluster.class, PublishedCluster::new)
            .withBean(KvBlockManagerConfigCustomizer.class, () -> config -> config.deviceLayout(SmallCache.device()))
            .withPropertyValues(SmallCache.properties("management.endpoints.web.exposure.include=*",
                    "kvbm.model.id=small", "kvbm.model.revision=r1"));

    @Test
    void thePropertyTableIsThatOfTheMetadata() throws Exception {
        List<String> rows = new ArrayList<>();
        for (JsonNode property : metadata()) {
            rows.add("| `%s` | %s | %s | %s |".formatted(property.get("name").asString(),
                    type(property.get("type").asString()),
                    property.has("defaultValue") ? "`" + property.get("defaultValue").asString() + "`" : "",
                    property.get("description").asString()));
        }
        assertThat(table("| Property |")).as(String.join("\n", rows)).containsExactlyElementsOf(rows);
    }

    @Test
    void everyPropertyHasADescriptionAndAType() throws Exception {
        assertThat(metadata()).hasSizeGreaterThan(25).allSatisfy(property -> {
            assertThat(property.get("type").asString()).isNotBlank();
            assertThat(property.get("description").asString()).endsWith(".")
                    .doesNotStartWith("The ")
                    .doesNotStartWith("A ");
        });
    }

    @Test
    void theMetricTableIsThatOfTheRegistry() {
        runner.run(context -> {
            TreeSet<String> rows = new TreeSet<>();
            for (Meter meter : context.getBean(MeterRegistry.class).getMeters()) {
                Meter.Id id = meter.getId();
                if (id.getName().startsWith("kvbm.")) {
                    rows.add("| `%s` | %s | %s | %s |".formatted(id.getName(),
                            id.getType().name().toLowerCase(Locale.ROOT),
                            id.getTags().stream().map(Tag::getKey).sorted().collect(Collectors.joining(", ")),
                            id.getDescription()));
                }
            }
            assertThat(table("| Metric |")).as(String.join("\n", rows)).containsExactlyElementsOf(rows);
        });
    }

    @Test
    void theSampleOfTheEndpointHasItsFields() throws Exception {
        String document = Files.readString(DOCUMENT);
        int start = document.indexOf("```json") + "```json".length();
        JsonNode sample = JSON.readTree(document.substring(start, document.indexOf("```", start)));
        runner.run(context -> {
            KvBlockManagerConfig config = context.getBean(KvBlockManagerConfig.class);
            try (KvBlockManager peer = new KvBlockManager(KvBlockManagerConfig.builder()
                    .runtime(KvManagerRuntimeConfig.builder().workerId(8).build())
                    .model(config.model())
                    .hostLayout(Objects.requireNonNull(config.hostLayout()))
                    .sharing(KvManagerSharingConfig.builder().build())
                    .build())) {
                KvBlockManager manager = context.getBean(KvBlockManager.class);
                var _ = manager.importBlockset(peer.exportBlockset());
                leak(manager);
                try (KvSequence _ = manager.open(new int[1], "")) {
                    JsonNode live = JSON.valueToTree(context.getBean(KvbmEndpoint.class).manager());
                    assertThat(paths("", sample)).isEqualTo(paths("", live));
                }
            }
        });
    }

    private static void leak(KvBlockManager manager) {
        forget(manager);
        await().until(() -> {
            System.gc();
            return !manager.leaks().isEmpty();
        });
    }

    private static void forget(KvBlockManager manager) {
        assertThat(manager.open(new int[1], "").length()).isOne();
    }

    private static Set<String> paths(String prefix, JsonNode node) {
        Set<String> paths = new TreeSet<>();
        for (var field : node.properties()) {
            paths.add(prefix + "/" + field.getKey() + " " + field.getValue().getNodeType());
            paths.addAll(paths(prefix + "/" + field.getKey(), field.getValue()));
        }
        if (node.isArray()) {
            node.forEach(element -> paths.addAll(paths(prefix + "[]", element)));
        }
        return paths;
    }

    private static List<String> table(String header) throws IOException {
        List<String> lines = Files.readAllLines(DOCUMENT);
        int start = 0;
        while (!lines.get(start).startsWith(header)) {
            start++;
        }
        return lines.stream().skip(start + 2L).takeWhile(line -> line.startsWith("|")).toList();
    }

    private static List<JsonNode> metadata() throws IOException {
        try (InputStream in = ConfigurationDocumentTest.class
                .getResourceAsStream("/META-INF/spring-configuration-metadata.json")) {
            return JSON.readTree(in).get("properties").valueStream().toList();
        }
    }

    /** The values of our enums, and the simple name of everything else. */
    private static String type(String name) {
        String raw = name.replaceFirst("<.*", "");
        String simple = raw.substring(raw.lastIndexOf('.') + 1);
        if (!name.startsWith("io.kvbm.")) {
            return simple;
        }
        try {
            return Arrays.stream(Class.forName(name).getEnumConstants())
                    .map(value -> "`" + ((Enum<?>) value).name().toLowerCase(Locale.ROOT).replace('_', '-') + "`")
                    .collect(Collectors.joining(", "));
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }
}
