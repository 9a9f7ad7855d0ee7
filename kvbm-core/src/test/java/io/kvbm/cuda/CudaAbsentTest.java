package io.kvbm.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.kvbm.testing.JavaProcess;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** What a process says and loads that cannot use a GPU. */
class CudaAbsentTest {

    private static final Path STAND_IN = Path.of("target/cuda-stand-in").toAbsolutePath();

    /** Says what there is, and whether JCuda was initialised for it. */
    static final class Asker {

        public static void main(String[] args) {
            System.out.println(Cuda.find().description());
        }
    }

    private static String ask(List<String> libraries, Map<String, String> environment) throws Exception {
        try (JavaProcess asker = JavaProcess.of(Asker.class).libraries(libraries).environment(environment).start()) {
            String said = new String(asker.output().readAllBytes(), StandardCharsets.UTF_8).strip();
            assertThat(asker.awaitEnd()).isZero();
            return said;
        }
    }

    @Test
    void withoutADriverJcudaIsNotTouched() throws Exception {
        // with JCuda's classes but without its natives, which loading it would ask for
        assertThat(ask(List.of("jcuda-12"), Map.of("LD_LIBRARY_PATH", "")))
                .isEqualTo("No GPU is used: there is no libcuda.so.1, which comes with NVIDIA's driver; install the"
                        + " driver, or let the container see it");
    }

    @Test
    void withADriverAndWithoutJcudaItSaysWhatToAdd() throws Exception {
        assumeTrue(Files.isRegularFile(STAND_IN.resolve("libcuda.so.1")));
        assertThat(ask(List.of(), Map.of("LD_LIBRARY_PATH", STAND_IN.toString())))
                .isEqualTo("No GPU is used: JCuda is not on the class path; add org.jcuda:jcuda");
    }

    @Test
    void withADriverAndWithoutJcudasNativesItSaysSo(@TempDir Path empty) throws Exception {
        assumeTrue(Files.isRegularFile(STAND_IN.resolve("libcuda.so.1")));
        assertThat(ask(List.of("jcuda-12"), withFolder(empty))).startsWith("No GPU is used: JCuda cannot be loaded: ");
    }

    private static Map<String, String> withFolder(Path temporary) {
        return Map.of("LD_LIBRARY_PATH", STAND_IN.toString(), "JAVA_TOOL_OPTIONS", "-Djava.io.tmpdir=" + temporary);
    }

    @Test
    void nativesThatAnotherUserHasPutWhereJcudaLooksAreNotLoaded(@TempDir Path shared) throws Exception {
        assumeTrue(Files.isRegularFile(STAND_IN.resolve("libcuda.so.1")));
        Path planted = Files.createFile(shared.resolve("libJCudaDriver-12.6.0-linux-x86_64.so"));
        assumeTrue(becomes(planted, 65534), "only root can give files away");
        assertThat(ask(List.of("jcuda"), withFolder(shared))).isEqualTo("No GPU is used: " + planted
                + " can be written by other users, and JCuda would load it; remove it, or set java.io.tmpdir");
    }

    private static boolean becomes(Path file, int owner) {
        try {
            Files.setAttribute(file, "unix:uid", owner);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void aDriverWithoutAGpuIsSaidToHaveNone() throws Exception {
        assumeTrue(Files.isRegularFile(STAND_IN.resolve("libcuda.so.1")));
        assertThat(ask(List.of("jcuda"),
                Map.of("LD_LIBRARY_PATH", STAND_IN.toString(), "KVBM_STAND_IN_DEVICES", "0")))
                .isEqualTo(
                        "No GPU is used: cuInit answers CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected); look at"
                                + " nvidia-smi and CUDA_VISIBLE_DEVICES");
    }

    @Test
    void aGpuIsSaidToBeThere() throws Exception {
        assumeTrue(Files.isRegularFile(STAND_IN.resolve("libcuda.so.1")));
        assertThat(ask(List.of("jcuda"), Map.of("LD_LIBRARY_PATH", STAND_IN.toString())))
                .matches("CUDA \\d+\\.\\d is used, 2 GPUs are there");
    }
}
