package io.kvbm.spring.boot.metrics;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.support.StaticListableBeanFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import io.kvbm.KvBlockManager;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.spring.boot.PublishedCluster;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.spring.boot.discovery.KvbmCluster;
import io.kvbm.storage.HostAllocator;

import static org.assertj.core.api.Assertions.assertThat;

/** The dashboard asks Prometheus for what there is. */
class GrafanaDashboardTest {

    private static final Path DASHBOARD = Path.of("..", "docs", "grafana", "kvbm.json");

    /** A metric with its matchers, as in {@code kvbm_blocks{tier="host"}}. */
    private static final Pattern SELECTOR = Pattern.compile("([a-z_]+)\\{([^}]*)}");
    private static final Pattern MATCHER = Pattern.compile("([a-z_]+)(=~|=)\"([^\"]*)\"");
    private static final Pattern BY = Pattern.compile("by \\(([a-z_, ]+)\\)");
    private static final Pattern RATE = Pattern.compile("rate\\(([a-z_]+)\\{[^}]*}\\[\\$__rate_interval]\\)");
    private static final Pattern LEGEND = Pattern.compile("\\{\\{([a-z_]+)}}");
    private static final Pattern SAMPLE = Pattern.compile("(kvbm_[a-z_0-9]+)(?:\\{(.*)})? \\S+");

    /** What Prometheus adds to all that it scrapes. */
    private static final String INSTANCE = "instance";

    private static final Map<String, Map<String, Set<String>>> METRICS = new HashMap<>();
    private static final Set<String> COUNTERS = new TreeSet<>();

    private static JsonNode dashboard;

    @BeforeAll
    static void scrapeAManagerThatHasEverything() throws IOException {
        dashboard = JsonMapper.builder().build().readTree(Files.readString(DASHBOARD));
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        try (KvBlockManager manager = new KvBlockManager(SmallCache.builder()
                .hostLayout(SmallCache.blocks(16, HostAllocator.create()))
                .deviceLayout(SmallCache.device())
                .sharing(KvManagerSharingConfig.builder().build())
                .build())) {
            StaticListableBeanFactory beans = new StaticListableBeanFactory(Map.of("cluster", new PublishedCluster()));
            new KvbmMetrics(manager, beans.getBeanProvider(KvbmCluster.class)).bindTo(registry);
            registry.scrape().lines().forEach(GrafanaDashboardTest::read);
        }
    }

    private static void read(String line) {
        String[] words = line.split(" ", -1);
        if (line.startsWith("# TYPE ") && words[3].equals("counter")) {
            COUNTERS.add(words[2]);
        } else if (line.startsWith("# TYPE ") && words[3].equals("summary")) {
            COUNTERS.addAll(List.of(words[2] + "_count", words[2] + "_sum"));
        }
        SAMPLE.matcher(line).results().forEach(sample -> {
            Map<String, Set<String>> labels = METRICS.computeIfAbsent(sample.group(1), _ -> new HashMap<>());
            MATCHER.matcher(Objects.requireNonNullElse(sample.group(2), ""))
                    .results()
                    .forEach(label -> labels.computeIfAbsent(label.group(1), _ -> new TreeSet<>()).add(label.group(3)));
        });
    }

    @Test
    void everyMetricAndEveryLabelOfItsQueriesExists() {
        assertThat(METRICS).hasSizeGreaterThan(40);
        assertThat(targets()).hasSizeGreaterThan(30).allSatisfy(target -> {
            String query = target.get("expr").asString();
            List<MatchResult> selectors = SELECTOR.matcher(query).results().toList();
            assertThat(selectors).as(query).isNotEmpty().allSatisfy(selector -> {
                assertThat(METRICS).as(query).containsKey(selector.group(1));
                assertThat(MATCHER.matcher(selector.group(2)).results()).as(query)
                        .isNotEmpty()
                        .allSatisfy(matcher -> assertMatches(selector.group(1), matcher));
            });
            Set<String> grouped = grouped(query);
            assertThat(selectors).allSatisfy(selector -> assertThat(labels(selector)).as(query).containsAll(grouped));
            assertThat(labels(selectors.getFirst())).as("%s in %s", target.get("legendFormat"), query)
                    .containsAll(legend(target));
            if (query.startsWith("sum")) {
                assertThat(grouped).as("%s in %s", target.get("legendFormat"), query).containsAll(legend(target));
            }
        });
    }

    @Test
    void itsQueriesAreOfAShapeThatIsUnderstoodHere() {
        assertThat(targets()).allSatisfy(target -> {
            String query = target.get("expr").asString();
            String rest = SELECTOR.matcher(BY.matcher(query).replaceAll("")).replaceAll("");
            assertThat(rest.replace("[$__rate_interval]", "")).matches("(sum|rate|[() /-])*");
            assertThat(count(query, '(')).isEqualTo(count(query, ')'));
        });
    }

    @Test
    void ratesAreOfWhatOnlyRises() {
        List<String> rates = targets().stream()
                .flatMap(target -> RATE.matcher(target.get("expr").asString()).results())
                .map(rate -> rate.group(1))
                .toList();
        assertThat(rates).hasSizeGreaterThan(20);
        assertThat(COUNTERS).containsAll(rates);
    }

    @Test
    void itCanBeImportedIntoAnyGrafanaWithAnyPrometheus() {
        assertThat(dashboard.get("schemaVersion").asInt()).isGreaterThanOrEqualTo(36);
        assertThat(dashboard.get("uid").asString()).hasSizeBetween(1, 40);
        assertThat(dashboard.has("id")).isFalse();
        JsonNode source = dashboard.get("templating").get("list").get(0);
        assertThat(source.get("type").asString() + " " + source.get("query").asString())
                .isEqualTo("datasource prometheus");
        String use = "${" + source.get("name").asString() + "}";
        assertThat(dashboard.findValues("datasource")).hasSizeGreaterThan(30)
                .allSatisfy(used -> assertThat(used.get("uid").asString()).isEqualTo(use));
        JsonNode instance = dashboard.get("templating").get("list").get(1);
        assertThat(instance.get("name").asString()).isEqualTo(INSTANCE);
        assertThat(instance.get("query").get("query").asString())
                .isEqualTo("label_values(kvbm_sequences_open, instance)");
        assertThat(METRICS).containsKey("kvbm_sequences_open");
    }

    @Test
    void itsPanelsAreNumberedNamedAndBesideEachOther() {
        List<JsonNode> panels = dashboard.get("panels").valueStream().toList();
        assertThat(panels).extracting(panel -> panel.get("id").asInt()).doesNotHaveDuplicates();
        assertThat(panels).extracting(panel -> panel.get("title").asString()).doesNotHaveDuplicates();
        Set<String> cells = new TreeSet<>();
        for (JsonNode panel : panels) {
            JsonNode place = panel.get("gridPos");
            assertThat(place.get("x").asInt() + place.get("w").asInt()).isLessThanOrEqualTo(24);
            for (int y = 0; y < place.get("h").asInt(); y++) {
                for (int x = 0; x < place.get("w").asInt(); x++) {
                    String cell = (place.get("x").asInt() + x) + " " + (place.get("y").asInt() + y);
                    assertThat(cells.add(cell)).as("%s at %s", panel.get("title"), cell).isTrue();
                }
            }
            if (!panel.get("type").asString().equals("row")) {
                assertThat(panel.get("description").asString()).endsWith(".");
                assertThat(panel.get("targets").valueStream().map(target -> target.get("refId").asString()))
                        .isNotEmpty()
                        .doesNotHaveDuplicates();
            }
        }
    }

    private static void assertMatches(String metric, MatchResult matcher) {
        if (matcher.group(1).equals(INSTANCE)) {
            assertThat(matcher.group()).isEqualTo("instance=~\"$instance\"");
        } else {
            assertThat(METRICS.getOrDefault(metric, Map.of()).getOrDefault(matcher.group(1), Set.of()))
                    .as("values of %s of %s", matcher.group(1), metric)
                    .contains(matcher.group(3));
        }
    }

    private static Set<String> labels(MatchResult selector) {
        Set<String> labels = new TreeSet<>(METRICS.getOrDefault(selector.group(1), Map.of()).keySet());
        labels.add(INSTANCE);
        return labels;
    }

    private static Set<String> grouped(String query) {
        Set<String> grouped = new TreeSet<>();
        BY.matcher(query).results().flatMap(by -> Arrays.stream(by.group(1).split(", "))).forEach(grouped::add);
        return grouped;
    }

    private static List<String> legend(JsonNode target) {
        return LEGEND.matcher(target.get("legendFormat").asString()).results().map(label -> label.group(1)).toList();
    }

    private static List<JsonNode> targets() {
        return dashboard.get("panels")
                .valueStream()
                .flatMap(panel -> panel.has("targets") ? panel.get("targets").valueStream() : Stream.empty())
                .toList();
    }

    private static long count(String text, char sought) {
        return text.chars().filter(c -> c == sought).count();
    }
}
