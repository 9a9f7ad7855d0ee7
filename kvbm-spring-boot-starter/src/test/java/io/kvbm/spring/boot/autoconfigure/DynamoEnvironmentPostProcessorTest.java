package io.kvbm.spring.boot.autoconfigure;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.MutablePropertySources;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.SmallCache;

import static org.assertj.core.api.Assertions.assertThat;

@ExtendWith(OutputCaptureExtension.class)
class DynamoEnvironmentPostProcessorTest {

    private static final Path DOCUMENT = Path.of("..", "docs", "configuration.md");

    @Test
    void anApplicationStartsWithTheirSizeAndNoneOfItsOwn(CapturedOutput output) {
        try (ConfigurableApplicationContext context = run("DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS=5",
                "DYN_KVBM_DISK_CACHE_GB=8")) {
            assertThat(context.getBean(KvBlockManager.class).pools()).singleElement()
                    .satisfies(pool -> assertThat(pool.stats().total()).isEqualTo(5));
            assertThat(output).containsOnlyOnce(
                    "DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS is honoured as kvbm.host.blocks=5")
                    .containsOnlyOnce("DYN_KVBM_DISK_CACHE_GB is not honoured: There is no disk level");
        }
    }

    @Test
    void theApplicationsSizeWinsOverTheirBlocks(CapturedOutput output) {
        StandardEnvironment environment = environment(Map.of("kvbm.host.size", "1MB"),
                "DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS=5", "DYN_KVBM_CPU_CACHE_GB=4");
        assertThat(value(environment, "kvbm.host.size")).isEqualTo("1MB");
        assertThat(value(environment, "kvbm.host.blocks")).isNull();
        assertThat(output).contains(
                "DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS is not honoured: the application sets kvbm.host.size",
                "DYN_KVBM_CPU_CACHE_GB is not honoured: the application sets kvbm.host.size");
    }

    @Test
    void aVariableOfOursIsTheApplications() {
        StandardEnvironment environment = environment(Map.of(), "KVBM_HOST_BLOCKS=7", "DYN_KVBM_CPU_CACHE_GB=4");
        assertThat(value(environment, "kvbm.host.blocks")).isEqualTo("7");
        assertThat(value(environment, "kvbm.host.size")).isNull();
    }

    @Test
    void aPlaceholderOfTheApplicationIsNotReadYet() {
        StandardEnvironment environment = environment(Map.of("kvbm.host.size", "${comes.later}"),
                "DYN_KVBM_CPU_CACHE_GB=4");
        assertThat(environment.getPropertySources().contains(DynamoEnvironmentPostProcessor.SOURCE)).isFalse();
    }

    @Test
    void gigabytesAreThoseOfTheDecimalSystem() {
        assertThat(value(environment(Map.of(), "DYN_KVBM_CPU_CACHE_GB=4"), "kvbm.host.size")).isEqualTo("4000000000B");
        assertThat(value(environment(Map.of(), "DYN_KVBM_CPU_CACHE_GB= 0.5 "), "kvbm.host.size"))
                .isEqualTo("500000000B");
        assertThat(value(environment(Map.of(), "DYN_KVBM_CPU_CACHE_GB=1e99"), "kvbm.host.size"))
                .isEqualTo(Long.MAX_VALUE + "B");
    }

    @Test
    void blocksGoBeforeGigabytes(CapturedOutput output) {
        StandardEnvironment environment = environment(Map.of(), "DYN_KVBM_CPU_CACHE_GB=4",
                "DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS=1000");
        assertThat(value(environment, "kvbm.host.blocks")).isEqualTo("1000");
        assertThat(value(environment, "kvbm.host.size")).isNull();
        assertThat(output).contains("DYN_KVBM_CPU_CACHE_GB is not honoured: kvbm.host.blocks is set by");
    }

    @Test
    void noBlocksLeaveItToTheGigabytes(CapturedOutput output) {
        StandardEnvironment environment = environment(Map.of(), "DYN_KVBM_CPU_CACHE_GB=4",
                "DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS=0");
        assertThat(value(environment, "kvbm.host.blocks")).isNull();
        assertThat(value(environment, "kvbm.host.size")).isEqualTo("4000000000B");
        assertThat(output).contains("DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS is not honoured: it is \"0\"")
                .doesNotContain("WARN");
    }

    @Test
    void whatIsIgnoredWithoutALossIsNoWarning(CapturedOutput output) {
        environment(Map.of(), "DYN_KVBM_LEADER_ZMQ_HOST=127.0.0.1", "DYN_KVBM_METRICS=true",
                "DYN_KVBM_DISK_CACHE_DIR=/tmp", "DYN_KVBM_DISK_CACHE_GB=0", "DYN_KVBM_OBJECT_ENABLED=False");
        assertThat(output.toString().lines().filter(line -> line.contains("is not honoured"))).hasSize(5)
                .allMatch(line -> line.contains("INFO"));
    }

    @Test
    void whatIsIgnoredAndWasAskedForIsAWarning(CapturedOutput output) {
        environment(Map.of(), "DYN_KVBM_DISK_CACHE_GB=8", "DYN_KVBM_OBJECT_ENABLED=1", "DYN_KVBM_CPU_CACHE_GB=0");
        assertThat(output.toString().lines().filter(line -> line.contains("is not honoured"))).hasSize(3)
                .allMatch(line -> line.contains("WARN"));
    }

    @Test
    void whatIsNoNumberIsNotHonoured(CapturedOutput output) {
        StandardEnvironment environment = environment(Map.of(), "DYN_KVBM_CPU_CACHE_GB=plenty",
                "DYN_KVBM_MAX_TRANSFER_BATCH_SIZE=-1");
        assertThat(environment.getPropertySources().contains(DynamoEnvironmentPostProcessor.SOURCE)).isFalse();
        assertThat(output).contains(
                "DYN_KVBM_CPU_CACHE_GB is not honoured: it is \"plenty\", which is no number above 0 that fits; set kvbm.host.size",
                "DYN_KVBM_MAX_TRANSFER_BATCH_SIZE is not honoured: it is \"-1\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"2.5", "1e3", "99999999999", "", "-3"})
    void whatIsNoWholeNumberStopsNoStart(String text) {
        StandardEnvironment environment = environment(Map.of(), "DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS=" + text,
                "DYN_KVBM_TRANSFER_BATCH_SIZE=" + text, "DYN_KVBM_CPU_CACHE_GB=1e-12");
        assertThat(environment.getPropertySources().contains(DynamoEnvironmentPostProcessor.SOURCE)).isFalse();
    }

    @Test
    void eitherNameOfTheBatchIsRead() {
        assertThat(value(environment(Map.of(), "DYN_KVBM_TRANSFER_BATCH_SIZE=32"), "kvbm.tier.offload-batch-blocks"))
                .isEqualTo("32");
        assertThat(value(environment(Map.of(), "DYN_KVBM_TRANSFER_BATCH_SIZE=32",
                "DYN_KVBM_MAX_TRANSFER_BATCH_SIZE=16"), "kvbm.tier.offload-batch-blocks")).isEqualTo("16");
    }

    @Test
    void eachOneThatIsNotHonouredIsNamedOnceAndItsValueIsNot(CapturedOutput output) {
        environment(Map.of(), "DYN_KVBM_OBJECT_SECRET_KEY=hush", "DYN_KVBM_NIXL_BACKEND_GDS=true",
                "DYN_KVBM_CPU_CACHE_TB=1");
        assertThat(output.toString().lines().filter(line -> line.contains("DYN_KVBM_"))).hasSize(3)
                .noneMatch(line -> line.contains("hush"))
                .anyMatch(line -> line.endsWith(
                        "DYN_KVBM_OBJECT_SECRET_KEY is not honoured: There is no level of object storage."))
                .anyMatch(line -> line.contains("DYN_KVBM_NIXL_BACKEND_GDS is not honoured: ")
                        && line.contains("kvbm.nixl.backend"))
                .anyMatch(line -> line.endsWith("DYN_KVBM_CPU_CACHE_TB is not honoured: no such variable is known"));
    }

    @Test
    void anApplicationWithoutABlockManagerHearsNothing(CapturedOutput output) {
        StandardEnvironment environment = environment(Map.of("kvbm.enabled", "false"), "DYN_KVBM_CPU_CACHE_GB=4",
                "DYN_KVBM_DISK_CACHE_GB=8");
        assertThat(environment.getPropertySources().contains(DynamoEnvironmentPostProcessor.SOURCE)).isFalse();
        assertThat(output).isEmpty();
    }

    @Test
    void anApplicationWithoutTheirVariablesHearsNothing(CapturedOutput output) {
        StandardEnvironment environment = environment(Map.of(), "PATH=/bin");
        assertThat(environment.getPropertySources().contains(DynamoEnvironmentPostProcessor.SOURCE)).isFalse();
        assertThat(output).isEmpty();
    }

    @Test
    void theirTableIsThatOfTheCode() throws IOException {
        List<String> rows = Arrays.stream(DynamoVariable.values())
                .map(variable -> "| `%s` | %s | %s |".formatted(variable.text() + (variable.isFamily() ? "*" : ""),
                        variable.property().map(property -> "`" + property + "`").orElse(""), variable.remark()))
                .toList();
        List<String> lines = Files.readAllLines(DOCUMENT);
        int start = lines.indexOf("| Variable | Property | Remark |");
        assertThat(lines.stream().skip(start + 2L).takeWhile(line -> line.startsWith("|")))
                .as(String.join("\n", rows))
                .containsExactlyElementsOf(rows);
    }

    @Test
    void whatIsHonouredSetsAPropertyThatExists() {
        StandardEnvironment environment = new StandardEnvironment();
        MutablePropertySources sources = environment.getPropertySources();
        for (DynamoVariable variable : DynamoVariable.values()) {
            variable.property().ifPresent(property -> {
                sources.addFirst(new MapPropertySource(property, Map.of(property, "3")));
                KvbmProperties properties = Binder.get(environment).bindOrCreate("kvbm", KvbmProperties.class);
                assertThat(properties.toString()).contains(variable == DynamoVariable.CPU_CACHE_GB ? "size=3B" : "=3,");
                sources.remove(property);
            });
        }
    }

    private static ConfigurableApplicationContext run(String... variables) {
        StandardEnvironment environment = new StandardEnvironment();
        put(environment, variables);
        return new SpringApplicationBuilder(App.class).environment(environment)
                .web(WebApplicationType.NONE)
                .run(Arrays.stream(SmallCache.geometry()).map("--"::concat).toArray(String[]::new));
    }

    private static StandardEnvironment environment(Map<String, Object> application, String... variables) {
        StandardEnvironment environment = new StandardEnvironment();
        put(environment, variables);
        environment.getPropertySources().addLast(new MapPropertySource("application", application));
        ConfigurationPropertySources.attach(environment);
        new DynamoEnvironmentPostProcessor(Supplier::get).postProcessEnvironment(environment, new SpringApplication());
        return environment;
    }

    private static void put(StandardEnvironment environment, String... variables) {
        Map<String, Object> map = new HashMap<>();
        for (String variable : variables) {
            String[] parts = variable.split("=", 2);
            map.put(parts[0], parts[1]);
        }
        String name = StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME;
        environment.getPropertySources().replace(name, new SystemEnvironmentPropertySource(name, map));
    }

    private static @Nullable String value(StandardEnvironment environment, String property) {
        return environment.getProperty(property);
    }

    /** An application that has nothing but a block manager. */
    @ImportAutoConfiguration(KvbmAutoConfiguration.class)
    static class App {}
}
