package io.kvbm.spring.boot.autoconfigure;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import io.micrometer.core.instrument.MeterRegistry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvSequence;
import io.kvbm.cuda.Cuda;
import io.kvbm.cuda.CudaDevice;
import io.kvbm.cuda.CudaLibrary;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.spring.boot.StartupMain;
import io.kvbm.spring.boot.actuate.KvbmEndpoint;
import io.kvbm.spring.boot.actuate.ManagerDescriptor;
import io.kvbm.spring.boot.actuate.ManagerDescriptor.LevelDescriptor;
import io.kvbm.storage.StorageType;
import io.kvbm.tier.Route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** Applications with a GPU, or with something in its place that is none; the stand-in for libcuda has two of 256 MiB. */
@Tag("cuda")
@EnabledIf("standInIsThere")
@ExtendWith(OutputCaptureExtension.class)
class GpuTest {

    private static final int[] PROMPT = IntStream.rangeClosed(1, 9).toArray();
    private static final int[] ANOTHER = new int[16];
    private static final String CONTROL = "kvbm_stand_in_";
    private static final int OUT_OF_MEMORY = 2;
    private static final int ILLEGAL_ADDRESS = 700;

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class));

    static boolean standInIsThere() {
        return Arrays.asList(System.getenv().getOrDefault("KVBM_REQUIRE", "").split(",", -1)).contains("cuda-stand-in")
                || standIn().anyMatch(library -> library.find(CONTROL + "reset").isPresent());
    }

    @SuppressWarnings("restricted")
    private static Stream<SymbolLookup> standIn() {
        try {
            return Stream.of(SymbolLookup.libraryLookup("libcuda.so.1", Arena.global()));
        } catch (IllegalArgumentException e) {
            return Stream.empty();
        }
    }

    // ---------------------------------------------------------------------------------------------- with one

    @Test
    void sequencesLiveOnItAndTheirBlocksAreOffloadedAndOnboarded(CapturedOutput output) {
        long before = openHandles();
        try (ConfigurableApplicationContext context = start("kvbm.device.blocks=4", "kvbm.device.ordinal=1")) {
            KvBlockManager manager = context.getBean(KvBlockManager.class);
            assertThat(context.getBean(CudaDevice.class).ordinal()).isOne();
            try (KvSequence sequence = manager.open(PROMPT, "")) {
                assertThat(sequence.blocks()).hasSize(3)
                        .allSatisfy(block -> assertThat(block.storageType()).isEqualTo(new StorageType.Device(1)));
                sequence.computed(PROMPT.length);
            }
            awaitOffloaded(manager, 2);
            compute(manager, ANOTHER);
            awaitOffloaded(manager, 6);
            try (KvSequence sequence = manager.open(PROMPT, "")) {
                assertThat(sequence.reusedTokens()).isEqualTo(8);
            }

            ManagerDescriptor shown = context.getBean(KvbmEndpoint.class).manager();
            assertThat(shown.levels()).extracting(LevelDescriptor::tier).containsExactly("device", "host");
            assertThat(shown.levels()).extracting(level -> level.memory().kind()).containsExactly("device", "pinned");
            assertThat(shown.levels()).noneMatch(LevelDescriptor::lost);
            assertThat(shown.routes()).extracting(route -> route.from() + " " + route.to() + " "
                    + route.stats().blocks() + " " + route.stats().bytes())
                    .containsExactly("device host 6 3072", "host device 2 1024");
            MeterRegistry meters = context.getBean(MeterRegistry.class);
            assertThat(meters.get("kvbm.blocks.configured").tag("tier", "device").gauge().value()).isEqualTo(4);
            assertThat(meters.get("kvbm.tier.blocks.copied")
                    .tags("from", "host", "to", "device")
                    .functionCounter()
                    .count()).isEqualTo(2);
            assertThat(meters.get("kvbm.onboard").tags("from", "host", "to", "device").timer().count()).isOne();
            assertThat(health(context).getStatus()).isEqualTo(Status.UP);
        }
        assertThat(openHandles()).isEqualTo(before);
        assertThat(output.getAll().lines()).noneMatch(line -> line.contains("WARN"))
                .anyMatch(line -> line.contains("CUDA 12.6 is used, 2 GPUs are there, and blocks are kept on GPU 1"))
                .anyMatch(
                        line -> line
                                .contains("Level device: 4 blocks of 4 tokens and 512 bytes, 2 KiB in all, on GPU 1."
                                        + " Level host: 64 blocks"));
    }

    @Test
    void everySettingOfItReachesTheManager() {
        runner.withPropertyValues(SmallCache.properties("kvbm.device.enabled=true", "kvbm.device.size=40960B",
                "kvbm.device.layout=layer-separate", "kvbm.device.alignment=256", "kvbm.device.head-order=hnd"))
                .run(context -> {
                    KvBlockManager manager = context.getBean(KvBlockManager.class);
                    BlockLayout layout = manager.device().orElseThrow().blocks().layout();
                    assertThat(layout.type()).isEqualTo(LayoutType.LAYER_SEPARATE);
                    assertThat(layout.numBlocks()).isEqualTo(80);
                    assertThat(layout.config().alignment()).isEqualTo(256);
                    assertThat(layout.config().headOrder()).isEqualTo(HeadOrder.HND);
                    assertThat(layout.config().heads()).isEqualTo(2);
                    assertThat(manager.host().orElseThrow().blocks().layout().config().headOrder())
                            .isEqualTo(HeadOrder.NHD);
                });
    }

    @Test
    void theApplicationsDeviceTakesThePlaceOfOurs() {
        runner.withPropertyValues(SmallCache.properties("kvbm.device.blocks=4", "kvbm.device.ordinal=7"))
                .withBean(CudaDevice.class, () -> ((CudaLibrary) Cuda.find()).device(1))
                .run(context -> {
                    BlockPool pool = context.getBean(KvBlockManager.class).device().orElseThrow();
                    assertThat(pool.blocks().storageType()).isEqualTo(new StorageType.Device(1));
                });
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.device.enabled=false", "kvbm.device.ordinal=1"})
    void nothingIsOpenedThatIsNotAskedFor(String property) {
        long before = openHandles();
        runner.withPropertyValues(SmallCache.properties(property)).run(context -> {
            assertThat(context.getBean(KvBlockManagerConfig.class).engines()).isEmpty();
            assertThat(context.getBean(KvBlockManager.class).device()).isEmpty();
            assertThat(openHandles()).isEqualTo(before);
        });
    }

    @Test
    void whenItIsLostTheApplicationWorksOnInHostMemoryAndShowsIt() throws Throwable {
        try (ConfigurableApplicationContext context = start("kvbm.device.blocks=4")) {
            KvBlockManager manager = context.getBean(KvBlockManager.class);
            failNext("operation", ILLEGAL_ADDRESS);
            compute(manager, PROMPT);
            await().until(() -> context.getBean(CudaDevice.class).isLost());
            compute(manager, PROMPT);
            try (KvSequence sequence = manager.open(PROMPT, "")) {
                assertThat(sequence.reusedTokens()).isEqualTo(8);
                assertThat(sequence.blocks())
                        .allSatisfy(block -> assertThat(block.storageType()).isEqualTo(new StorageType.Pinned()));
            }
            Health health = health(context);
            assertThat(health.getStatus()).isEqualTo(Status.UP);
            assertThat(health.getDetails().get("device")).asString().contains("lost=true");
            assertThat(health.getDetails().get("host")).asString().doesNotContain("lost");
            assertThat(context.getBean(KvbmEndpoint.class).manager().levels()).extracting(LevelDescriptor::lost)
                    .containsExactly(true, false);
        }
    }

    // ---------------------------------------------------------------------------------------------- failures

    @ParameterizedTest
    @CsvSource({"kvbm.device.blocks, 1000000", "kvbm.device.size, 1GB"})
    void moreBlocksThanItsMemoryHoldsAreRefusedByTheirProperty(String property, String value) {
        long before = openHandles();
        runner.withPropertyValues(SmallCache.properties(property + "=" + value))
                .run(context -> assertThat(context).getFailure()
                        .rootCause()
                        .isInstanceOfSatisfying(InvalidKvbmPropertyException.class,
                                failure -> assertThat(failure.property()).isEqualTo(property))
                        .hasMessageContainingAll("bytes of GPU memory are asked for", "are free on GPU 0"));
        assertThat(openHandles()).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "kvbm.device.enabled=true"})
    void anOrdinalThatIsNotThereIsNamed(String enabled) {
        runner.withPropertyValues(SmallCache.properties("kvbm.device.blocks=4", "kvbm.device.ordinal=2", enabled))
                .run(context -> assertThat(context).getFailure()
                        .rootCause()
                        .isInstanceOf(InvalidKvbmPropertyException.class)
                        .hasMessage("kvbm.device.ordinal is 2, and this process sees 2, counted from 0"));
    }

    @Test
    void whereItHasToBeThereItsSizeIsAskedFor() {
        runner.withPropertyValues(SmallCache.properties("kvbm.device.enabled=true"))
                .run(context -> assertThat(context).getFailure()
                        .rootCause()
                        .isInstanceOf(InvalidKvbmPropertyException.class)
                        .hasMessage("kvbm.device.size is not set"));
    }

    @Test
    void withoutJCudaTheApplicationStartsAndSaysSoOnce() throws Exception {
        assertThat(startsApart(false, Map.of())).contains("INFO",
                "No GPU is used: JCuda is not on the class path; add org.jcuda:jcuda");
    }

    @Test
    void withADriverThatKnowsNoGpuTheApplicationStartsAndSaysSoOnce() throws Exception {
        assertThat(startsApart(true, Map.of("KVBM_STAND_IN_DEVICES", "0"))).contains("INFO",
                "No GPU is used: ", "CUDA_ERROR_NO_DEVICE");
    }

    @Test
    void withAGpuThatCannotBeOpenedTheApplicationStartsAndWarnsOnce(CapturedOutput output) throws Throwable {
        failNext("call", OUT_OF_MEMORY);
        runner.withPropertyValues(SmallCache.properties("kvbm.device.blocks=4")).run(context -> {
            assertThat(context.getBean(KvBlockManager.class).device()).isEmpty();
            compute(context.getBean(KvBlockManager.class), PROMPT);
        });
        assertThat(output.getAll().lines().filter(line -> line.contains("GPU"))).singleElement()
                .asString()
                .contains("WARN", "GPU 0 is there but not used: ", "OUT_OF_MEMORY", "host memory only");
    }

    @Test
    void whereItHasToBeThereAndCannotBeOpenedTheStartFails() throws Throwable {
        failNext("call", OUT_OF_MEMORY);
        runner.withPropertyValues(SmallCache.properties("kvbm.device.blocks=4", "kvbm.device.enabled=true"))
                .run(context -> assertThat(context).getFailure()
                        .rootCause()
                        .isInstanceOf(InvalidKvbmPropertyException.class)
                        .hasMessageStartingWith("kvbm.device.enabled is true, but no GPU can be used: ")
                        .hasMessageContaining("OUT_OF_MEMORY"));
    }

    // ---------------------------------------------------------------------------------------------- means

    private static ConfigurableApplicationContext start(String... properties) {
        SpringApplication application = new SpringApplication(Application.class);
        application.setWebApplicationType(WebApplicationType.NONE);
        return application.run(arguments(properties));
    }

    private static String[] arguments(String... properties) {
        return Stream.concat(Stream.of("management.endpoints.web.exposure.include=*", "server.port=0"),
                Stream.of(SmallCache.properties(properties))).map(property -> "--" + property).toArray(String[]::new);
    }

    /** What an application says of GPUs that is asked to use one, in a JVM of its own; it works all the same. */
    private static String startsApart(boolean jcuda, Map<String, String> environment) throws Exception {
        String classPath = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> jcuda || !Path.of(entry).getFileName().toString().startsWith("jcuda"))
                .collect(Collectors.joining(File.pathSeparator));
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx192m",
                        "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED", "-cp",
                        classPath, StartupMain.class.getName()));
        command.addAll(List.of(arguments("kvbm.device.blocks=4")));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process process = builder.start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor()).as(output).isZero();
            assertThat(output.lines()).as(output).anyMatch(line -> line.startsWith("started "));
            List<String> said = output.lines().filter(line -> line.contains("GPU")).toList();
            assertThat(said).as(output).hasSize(1);
            return said.getFirst();
        } catch (IOException e) {
            process.destroyForcibly();
            throw e;
        }
    }

    private static void compute(KvBlockManager manager, int[] tokens) {
        try (KvSequence sequence = manager.open(tokens, "")) {
            sequence.computed(tokens.length);
        }
    }

    private static void awaitOffloaded(KvBlockManager manager, long blocks) {
        await().until(() -> manager.tiering().orElseThrow().stats(Route.OFFLOAD).blocks() == blocks);
    }

    private static Health health(ConfigurableApplicationContext context) {
        return Objects.requireNonNull(context.getBean("kvbmHealthIndicator", HealthIndicator.class).health());
    }

    private static long openHandles() {
        return ((CudaLibrary) Cuda.find()).openHandles();
    }

    /** Lets the next call, or the next operation in a stream, fail. */
    private static void failNext(String what, int error) throws Throwable {
        control("fail_" + what, FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT))
                .invoke(1L, error);
    }

    /** Otherwise a GPU that was lost would be so to all later tests of this process. */
    @AfterEach
    void heal() throws Throwable {
        control("reset", FunctionDescriptor.ofVoid()).invoke();
    }

    @SuppressWarnings("restricted")
    private static MethodHandle control(String name, FunctionDescriptor signature) {
        return Linker.nativeLinker()
                .downcallHandle(standIn().findFirst().orElseThrow().findOrThrow(CONTROL + name), signature);
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {}
}
