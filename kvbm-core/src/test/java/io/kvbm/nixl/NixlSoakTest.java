package io.kvbm.nixl;

import java.nio.charset.StandardCharsets;
import java.util.List;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.testing.JavaProcess;
import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

/** Very many transfers in a process of its own, whose resident memory says whether any of them has left something. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class NixlSoakTest {

    private static final List<String> LIBRARIES = List.of("jna-", "awaitility", "hamcrest", "assertj", "logback");
    private static final int TRANSFERS = 250_000;
    private static final String RESIDENT = "rss ";

    @Test
    void nothingIsLeftOfTransfersOfAllSizesAndLayouts() throws Exception {
        try (JavaProcess process = JavaProcess.of(NixlSoak.class)
                .libraries(LIBRARIES)
                .wholeHeap()
                .start(InstalledNixl.path(),
                        RandomCase.seed("NixlSoakTest"), RandomCase.cases(TRANSFERS))) {
            List<String> said = new String(process.output().readAllBytes(), StandardCharsets.UTF_8).lines().toList();
            assertThat(process.awaitEnd()).as("exit status after: " + said).isZero();
            assertThat(said).contains("open 0", "leaks 0");
            List<Long> resident = said.stream()
                    .filter(line -> line.startsWith(RESIDENT))
                    .map(line -> Long.valueOf(line.substring(RESIDENT.length())))
                    .toList();
            System.out.println("NixlSoakTest: " + resident + " KiB resident");
            assertThat(resident).hasSize(10);
            assertThat(resident.getLast()).as("KiB resident by tenth: " + resident)
                    .isCloseTo(resident.getFirst(), withinPercentage(1));
        }
    }
}
