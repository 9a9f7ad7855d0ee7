package io.kvbm.nixl;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.testing.JavaProcess;

import static org.assertj.core.api.Assertions.assertThat;

/** Processes of their own that use NIXL, or try to, and end by themselves. */
class NixlProcessTest {

    private static final List<String> LIBRARIES = List.of("jna-", "awaitility", "hamcrest", "assertj", "logback");

    @Tag("nixl")
    @EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
    @RepeatedTest(5)
    void aProcessThatHasUsedNixlEndsWell() throws Exception {
        assertThat(run(LIBRARIES, InstalledNixl.path())).isEqualTo("moved");
    }

    @Test
    void aProcessWithoutNixlEndsWell() throws Exception {
        assertThat(run(LIBRARIES, "/nowhere")).isEqualTo("NIXL is not used: there is no libnixl_capi.so at /nowhere;"
                + " give the file, its folder, or a virtual environment with the wheel nixl-cu12");
    }

    @Test
    void aFileThatIsNoLibraryIsNotUsed() throws Exception {
        assertThat(run(LIBRARIES, "/etc/passwd")).startsWith("NIXL is not used: /etc/passwd cannot be loaded: ");
    }

    @Test
    void aProcessWithoutJnaEndsWell() throws Exception {
        assertThat(run(List.of(), "/etc/passwd"))
                .isEqualTo("NIXL is not used: JNA is not on the class path; add net.java.dev.jna:jna");
    }

    private static String run(List<String> libraries, String path) throws IOException, InterruptedException {
        try (JavaProcess process = JavaProcess.of(NixlUser.class).libraries(libraries).start(path)) {
            String said = new String(process.output().readAllBytes(), StandardCharsets.UTF_8).strip();
            assertThat(process.awaitEnd()).as("exit status after: " + said).isZero();
            return said;
        }
    }
}
