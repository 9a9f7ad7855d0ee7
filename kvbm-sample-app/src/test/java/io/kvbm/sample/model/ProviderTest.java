package io.kvbm.sample.model;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** With the ONNX Runtime of these tests, which is built without CUDA. */
@ExtendWith(OutputCaptureExtension.class)
class ProviderTest {

    private final ModelFiles files = ModelFiles.at("classpath:/model/");

    @Test
    void withoutAGpuAutoRunsOnTheCpuAndSaysSoOnce(CapturedOutput output) {
        new Decoder(files, Provider.AUTO).close();
        assertThat(output.getAll().lines()).filteredOn(line -> line.contains("GPU"))
                .singleElement()
                .asString()
                .contains("INFO", "The decoder runs on the CPU, as ONNX Runtime cannot use a GPU: ");
    }

    @Test
    void onTheCpuNoGpuIsSpokenOf(CapturedOutput output) {
        new Decoder(files, Provider.CPU).close();
        assertThat(output).doesNotContain("GPU");
    }

    @Test
    void withoutAGpuCudaFailsAndSaysWhatToDo() {
        assertThatThrownBy(() -> new Decoder(files, Provider.CUDA))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageStartingWith("kvbm.sample.provider is cuda, and ONNX Runtime cannot use a GPU: ")
                .hasMessageContaining("onnxruntime_gpu");
    }
}
