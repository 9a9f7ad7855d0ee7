package io.kvbm.spring.boot.autoconfigure;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import io.kvbm.KvBlockManager;
import io.kvbm.KvSequence;
import io.kvbm.cuda.Cuda;
import io.kvbm.cuda.CudaDevice;
import io.kvbm.spring.boot.SmallCache;

import static org.assertj.core.api.Assertions.assertThat;

/** What becomes of the device level on a machine without a GPU. */
@EnabledIf("noGpuIsThere")
@ExtendWith(OutputCaptureExtension.class)
class DeviceLevelTest {

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class));

    static boolean noGpuIsThere() {
        return Cuda.find() instanceof Cuda.Absent;
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.device.blocks=4", "kvbm.device.size=1MB"})
    void whereItIsAskedForTheApplicationWorksInHostMemoryAndSaysSoOnce(String property, CapturedOutput output) {
        runner.withPropertyValues(SmallCache.properties(property)).run(context -> {
            assertThat(context).hasNotFailed();
            KvBlockManager manager = context.getBean(KvBlockManager.class);
            assertThat(manager.device()).isEmpty();
            assertThat(manager.tiering()).isEmpty();
            assertThat(context.getBeanProvider(CudaDevice.class).getIfAvailable()).isNull();
            try (KvSequence sequence = manager.open(new int[]{1, 2, 3, 4, 5}, "")) {
                sequence.computed(5);
            }
        });
        assertThat(output.getAll().lines()).noneMatch(line -> line.contains("WARN"))
                .filteredOn(line -> line.contains("GPU"))
                .singleElement()
                .asString()
                .contains("INFO", "No GPU is used: there is no libcuda.so.1", "host memory only");
    }

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.device.enabled=false", "kvbm.device.ordinal=7", "kvbm.device.alignment=4096"})
    void whereItIsNotAskedForNothingIsLookedFor(String property, CapturedOutput output) {
        runner.withPropertyValues(SmallCache.properties(property)).run(context -> assertThat(context).hasNotFailed());
        assertThat(output).doesNotContain("GPU");
    }

    @Test
    void switchedOffItsSizeDoesNotMatter(CapturedOutput output) {
        runner.withPropertyValues(SmallCache.properties("kvbm.device.enabled=false", "kvbm.device.blocks=4"))
                .run(context -> assertThat(context.getBean(KvBlockManager.class).device()).isEmpty());
        assertThat(output).doesNotContain("GPU");
    }

    @Test
    void whereItHasToBeThereTheStartFailsAndSaysWhy() {
        runner.withPropertyValues(SmallCache.properties("kvbm.device.enabled=true", "kvbm.device.blocks=4"))
                .run(context -> assertThat(context).getFailure()
                        .rootCause()
                        .isInstanceOf(InvalidKvbmPropertyException.class)
                        .hasMessageStartingWith("kvbm.device.enabled is true, but no GPU can be used: there is no"
                                + " libcuda.so.1, which comes with NVIDIA's driver"));
    }

    @Test
    void anOrdinalBelowZeroIsNamed() {
        runner.withPropertyValues(SmallCache.properties("kvbm.device.ordinal=-1", "kvbm.device.blocks=4"))
                .run(context -> assertThat(context).getFailure()
                        .rootCause()
                        .hasMessage("kvbm.device.ordinal is -1"));
    }
}
