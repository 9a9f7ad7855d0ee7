package io.kvbm.cuda;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;

import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/** The kernel as NVIDIA's compiler for PTX sees it, which needs no GPU. */
class MoveKernelTest {

    private static final Path SOURCE = Path.of("src/main/cuda/move.cu");

    @ParameterizedTest
    @ValueSource(strings = {"sm_70", "sm_75", "sm_80", "sm_86", "sm_89", "sm_90"})
    void isCompiledForEveryGpuSinceVolta(String gpu) {
        assertThat(compile(Kernels.ptx(), gpu)).isEqualTo(nvPTXCompileResult.NVPTXCOMPILE_SUCCESS);
    }

    @Test
    void aMistakeInItIsFound() {
        String broken = Kernels.ptx().replaceFirst("ld\\.global\\.v4\\.u32", "ld.global.v5.u32");
        assertThat(compile(broken, "sm_80")).isNotEqualTo(nvPTXCompileResult.NVPTXCOMPILE_SUCCESS);
    }

    private static int compile(String ptx, String gpu) {
        byte[] text = (ptx + "\0").getBytes(StandardCharsets.US_ASCII);
        nvPTXCompilerHandle compiler = new nvPTXCompilerHandle();
        assertThat(JNvPTXCompiler.nvPTXCompilerCreate(compiler, text.length, text)).isZero();
        try {
            return JNvPTXCompiler.nvPTXCompilerCompile(compiler, 1, new String[]{"--gpu-name=" + gpu});
        } finally {
            JNvPTXCompiler.nvPTXCompilerDestroy(compiler);
        }
    }

    @Test
    void movesSixteenBytesAtOnceAndFourTimesBeforeItWaits() {
        String widest = Kernels.ptx();
        widest = widest.substring(widest.indexOf(".entry kvbm_move_16("), widest.indexOf(".entry kvbm_move_4("));
        int loads = widest.indexOf("ld.global.v4.u32");
        int store = widest.indexOf("st.global.v4.u32");
        assertThat(widest.substring(loads, store).split("ld\\.global\\.v4\\.u32", -1)).hasSize(1 + 4);
    }

    @Test
    void wasMadeOfTheSourceThatIsThere() throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(SOURCE));
        assertThat(Kernels.ptx()).contains("SHA-256 is " + HexFormat.of().formatHex(digest));
    }
}
