package io.kvbm.spring.boot.autoconfigure;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.convert.ApplicationConversionService;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.diagnostics.FailureAnalyzer;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.core.io.support.SpringFactoriesLoader;

import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.error.CudaException;
import io.kvbm.error.NixlException;
import io.kvbm.error.PoolException;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.token.ModelIdentity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

@ExtendWith(OutputCaptureExtension.class)
class FailureAnalysisTest {

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withInitializer(context -> context.getBeanFactory()
                    .setConversionService(ApplicationConversionService.getSharedInstance()))
            .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class));

    @ParameterizedTest
    @ValueSource(strings = {"layers", "heads", "head-dim", "page-size"})
    void missingGeometryIsNamed(String property) {
        String[] rest = Arrays.stream(SmallCache.properties())
                .filter(p -> !p.startsWith("kvbm.model." + property + "="))
                .toArray(String[]::new);
        FailureAnalysis analysis = analysed(runner.withPropertyValues(rest));
        assertThat(analysis.getDescription()).contains("kvbm.model." + property + " is not set");
        assertThat(analysis.getAction()).contains("model's configuration", "ModelIdentity", "kvbm.enabled=false");
    }

    @ParameterizedTest
    @CsvSource({"kvbm.model.id=m, kvbm.model.revision", "kvbm.model.revision=r, kvbm.model.id"})
    void aNameAndARevisionGoTogether(String given, String missing) {
        FailureAnalysis analysis = analysed(with(given));
        assertThat(analysis.getDescription()).contains(missing + " is not set");
        assertThat(analysis.getAction()).contains("kvbm.model.id and kvbm.model.revision together");
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.model.adapter=a", "kvbm.model.head-order=NHD", "kvbm.model.rank-layout=tp0of2"})
    void whatGoesIntoTheFingerprintNeedsANamedModel(String given) {
        FailureAnalysis analysis = analysed(with(given));
        assertThat(analysis.getDescription()).contains(given.substring(0, given.indexOf('=')));
        assertThat(analysis.getAction()).contains("kvbm.model.id and kvbm.model.revision");
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.model.id", "kvbm.model.revision"})
    void aBlankNameIsNamed(String property) {
        FailureAnalysis analysis = analysed(with("kvbm.model.id=m", "kvbm.model.revision=r", property + "= "));
        assertThat(analysis.getDescription()).contains(property);
    }

    @Test
    void bothSizesAreRefused() {
        FailureAnalysis analysis = analysed(with("kvbm.host.size=1MB"));
        assertThat(analysis.getDescription()).contains("kvbm.host.blocks is 64", "kvbm.host.size");
        assertThat(analysis.getAction()).contains("exactly one");
    }

    @Test
    void noSizeIsRefused() {
        FailureAnalysis analysis = analysed(runner.withPropertyValues(SmallCache.geometry()));
        assertThat(analysis.getDescription()).contains("kvbm.host.size is not set");
        assertThat(analysis.getAction()).contains("exactly one", "kvbm.host.blocks");
    }

    @ParameterizedTest
    @ValueSource(strings = {"511B", "0B", "-1GB"})
    void aSizeBelowOneBlockIsRefused(String size) {
        FailureAnalysis analysis = analysed(
                runner.withPropertyValues(SmallCache.geometry()).withPropertyValues("kvbm.host.size=" + size));
        assertThat(analysis.getDescription()).contains("kvbm.host.size", "512 bytes of one block");
        assertThat(analysis.getAction()).contains("at least one block");
    }

    @ParameterizedTest
    @CsvSource({"kvbm.host.alignment, 0", "kvbm.host.alignment, -8", "kvbm.host.alignment, 4095",
        "kvbm.host.alignment, -2147483648", "kvbm.events.capacity, 0", "kvbm.events.capacity, 1000",
        "kvbm.events.capacity, -2147483648", "kvbm.host.blocks, 0", "kvbm.host.blocks, -1",
        "kvbm.host.blocks, 268435457", "kvbm.model.layers, 0", "kvbm.model.layers, -1", "kvbm.model.outer, 0",
        "kvbm.model.heads, 0", "kvbm.model.head-dim, 0", "kvbm.model.page-size, 0",
        "kvbm.model.heads, 2147483647", "kvbm.transfer.timeout, 0s", "kvbm.transfer.timeout, -1s",
        "kvbm.transfer.timeout, 365000d", "kvbm.shutdown.drain-timeout, -1s",
        "kvbm.shutdown.drain-timeout, 365000d", "kvbm.shutdown.delay, -1s", "kvbm.shutdown.delay, 365000d",
        "kvbm.device.blocks, 0", "kvbm.device.blocks, -1", "kvbm.device.blocks, 268435457",
        "kvbm.device.size, 0B", "kvbm.device.size, 511B", "kvbm.tier.offload-pending-blocks, 0",
        "kvbm.tier.offload-batch-blocks, -1", "kvbm.tier.onboard-timeout, 0s", "kvbm.tier.onboard-timeout, 365000d",
        "kvbm.worker-id, -1", "kvbm.worker-id, 18446744073709551616",
        "kvbm.worker-id, 0x10", "kvbm.worker-id, one", "kvbm.worker-id, +1", "kvbm.worker-id, ''"})
    void aValueOutOfRangeIsNamed(String property, String value) {
        FailureAnalysis analysis = analysed(with(property + "=" + value));
        assertThat(analysis.getDescription()).contains(property);
        assertThat(analysis.getCause()).isInstanceOf(InvalidKvbmPropertyException.class);
        assertThat(((InvalidKvbmPropertyException) analysis.getCause()).property()).isEqualTo(property);
        assertThat(analysis.getAction()).isNotBlank();
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.model.page-size=2147483647", "kvbm.host.alignment=1073741824"})
    void moreMemoryThanThereIsIsRefused(String property) {
        FailureAnalysis analysis = analysed(with("kvbm.model.layers=1000", "kvbm.host.blocks=100000", property));
        assertThat(analysis.getDescription()).contains("bytes");
        assertThat(analysis.getAction()).contains("kvbm.host.blocks");
    }

    @ParameterizedTest
    @ValueSource(strings = {"4000GB", "8000000TB"})
    void aSizeAboveTheMachinesMemoryIsRefusedAtOnce(String size) {
        FailureAnalysis analysis = analysed(runner.withPropertyValues("kvbm.model.layers=32", "kvbm.model.heads=8",
                "kvbm.model.head-dim=128", "kvbm.model.page-size=16", "kvbm.host.size=" + size));
        assertThat(analysis.getDescription()).containsPattern("\\d+ (bytes|blocks)");
        assertThat(analysis.getDescription() + analysis.getAction()).contains("kvbm.host.size");
    }

    @Test
    void anElementTypeThatIsNoneOfOursIsNamed() {
        ModelIdentity strange = ModelIdentity.builder()
                .modelId("m")
                .revision("r")
                .dtype("FP3")
                .layers(1)
                .heads(1)
                .headDim(1)
                .pageSize(1)
                .build();
        FailureAnalysis analysis = analysed(
                runner.withPropertyValues("kvbm.host.blocks=1").withBean(ModelIdentity.class, () -> strange));
        assertThat(analysis.getDescription()).contains("FP3");
        assertThat(analysis.getAction()).contains("ModelIdentity");
    }

    @Test
    void whatACustomizerBreaksIsAnalysed() {
        FailureAnalysis analysis = analysed(with().withBean(KvBlockManagerConfigCustomizer.class,
                () -> config -> config.eventCapacity(3)));
        assertThat(analysis.getDescription()).contains("eventCapacity is 3");
    }

    @ParameterizedTest
    @EnumSource(names = {"SETUP_FAILED", "OUT_OF_MEMORY"})
    void aGpuThatFailsTheApplicationsOwnLevelIsAnalysed(CudaException.Kind kind) {
        FailureAnalysis analysis = analysed(with().withBean(KvBlockManagerConfigCustomizer.class,
                () -> config -> config.deviceLayout(KvManagerLayoutConfig.builder()
                        .numBlocks(4)
                        .allocator(_ -> {
                            throw new CudaException(kind, "CUDA_ERROR", "2048 bytes are asked for");
                        })
                        .build())));
        assertThat(analysis.getDescription()).contains("2048 bytes are asked for");
        assertThat(analysis.getAction()).contains("kvbm.device.size", "kvbm.device.blocks",
                "kvbm.device.enabled=false");
    }

    @Test
    void memoryThatCannotBeRegisteredWithNixlIsAnalysed() {
        FailureAnalysis analysis = analysed(with().withBean(KvBlockManagerConfigCustomizer.class, () -> _ -> {
            throw new NixlException(NixlException.Kind.SETUP_FAILED, "nixl_capi_register_mem", "ERR",
                    "4096 bytes cannot be locked");
        }));
        assertThat(analysis.getDescription()).contains("4096 bytes cannot be locked");
        assertThat(analysis.getAction()).contains("memory that the process may lock", "kvbm.nixl.enabled=false");
    }

    @Test
    void aModelIdentityBeanThatCannotBeMadeIsAnalysed() {
        FailureAnalysis analysis = analysed(runner.withPropertyValues("kvbm.host.blocks=1")
                .withBean(ModelIdentity.class, () -> ModelIdentity.builder().modelId("m").build()));
        assertThat(analysis.getDescription()).contains("is missing");
        assertThat(analysis.getAction()).contains("ModelIdentity");
    }

    @ParameterizedTest
    @CsvSource({"kvbm.model.dtype, fp3", "kvbm.host.layout, sideways", "kvbm.identity, md5", "kvbm.reuse, random",
        "kvbm.host.size, plenty", "kvbm.host.blocks, many", "kvbm.transfer.timeout, soon"})
    void aValueOfNoKindIsNamedByBoot(String property, String value, CapturedOutput output) {
        SpringApplication application = new SpringApplication(Application.class);
        application.setWebApplicationType(WebApplicationType.NONE);
        Throwable failure = catchThrowable(() -> application.run(Stream.of(SmallCache.geometry(),
                new String[]{property + "=" + value})
                .flatMap(Stream::of)
                .map(each -> "--" + each)
                .toArray(String[]::new)).close());
        assertThat(failure).isNotNull();
        assertThat(output).contains("APPLICATION FAILED TO START", "Property: " + property, "\"" + value + "\"");
    }

    @Test
    void aFailureOfTheApplicationsUseOfTheCacheIsNotOurs() {
        assertThat(analyse(new IllegalStateException("runner",
                new PoolException(PoolException.Kind.NOT_ENOUGH_BLOCKS, "9 blocks were asked for")))).isNull();
    }

    @Test
    void bootPrintsDescriptionAndAction(CapturedOutput output) {
        SpringApplication application = new SpringApplication(Application.class);
        application.setWebApplicationType(WebApplicationType.NONE);
        Throwable failure = catchThrowable(
                () -> application.run("--kvbm.model.layers=2", "--kvbm.host.blocks=4").close());
        assertThat(failure).isNotNull();
        assertThat(output).contains("APPLICATION FAILED TO START",
                "The KV-cache block manager cannot be made: kvbm.model.heads is not set.", "Action:",
                "supply a ModelIdentity bean");
    }

    private ApplicationContextRunner with(String... properties) {
        return runner.withPropertyValues(SmallCache.properties(properties));
    }

    private static FailureAnalysis analysed(ApplicationContextRunner runner) {
        FailureAnalysis[] analysis = new FailureAnalysis[1];
        runner.run(context -> {
            assertThat(context).hasFailed();
            FailureAnalysis found = analyse(Objects.requireNonNull(context.getStartupFailure()));
            assertThat(found).as("analysis of %s", context.getStartupFailure()).isNotNull();
            analysis[0] = Objects.requireNonNull(found);
        });
        return analysis[0];
    }

    private static @Nullable FailureAnalysis analyse(Throwable failure) {
        List<FailureAnalyzer> ours = SpringFactoriesLoader.forDefaultResourceLocation()
                .load(FailureAnalyzer.class,
                        SpringFactoriesLoader.FailureHandler.handleMessage((_, _) -> {}))
                .stream()
                .filter(analyzer -> analyzer.getClass().getName().startsWith("io.kvbm."))
                .toList();
        assertThat(ours).hasSize(4);
        return ours.stream()
                .map(analyzer -> analyzer.analyze(failure))
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
    }

    @ImportAutoConfiguration(KvbmAutoConfiguration.class)
    static class Application {}
}
