package io.kvbm.spring.boot;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;

/** An application in a JVM of its own, which forbids native access. */
@EnabledOnOs(OS.LINUX)
class NativeAccessDeniedTest {

    private static final String FLAG = "--enable-native-access=ALL-UNNAMED";
    private static final String KEY = "kvbm.cluster.key=0123456789abcdef0123456789abcdef";

    @Test
    void itStartsWithPrivateMemoryAndOneWarningNamesTheFlag() throws Exception {
        List<String> output = start(KEY);
        assertThat(output).anyMatch(line -> line.startsWith("started "))
                .anyMatch(line -> line.contains("private to this process, so that no other one can read it directly")
                        && line.contains("NIXL is not used: native access is denied; start the JVM with " + FLAG));
        assertThat(output).filteredOn(line -> line.contains("WARN"))
                .singleElement()
                .asString()
                .contains("Host memory is private to this process", FLAG);
    }

    @Test
    void withoutACacheThereIsNothingToWarnOf() throws Exception {
        assertThat(start(KEY, "kvbm.enabled=false")).anyMatch(line -> line.startsWith("started "))
                .noneMatch(line -> line.contains("WARN"));
    }

    @ParameterizedTest
    @CsvSource({"kvbm.nixl.enabled=true, 'kvbm.nixl.enabled is true, but NIXL is not used: '",
        "kvbm.cluster.transport=nixl, 'kvbm.cluster.transport is nixl, but NIXL is not used: '"})
    void nixlThatIsAskedForStopsTheStartWithTheFlag(String property, String description) throws Exception {
        assertThat(start(KEY, property)).noneMatch(line -> line.startsWith("started "))
                .containsSubsequence("APPLICATION FAILED TO START", "Description:",
                        "The KV-cache block manager cannot be made: " + description
                                + "native access is denied; start the JVM with " + FLAG + ".",
                        "Action:");
    }

    @Test
    void aGpuThatIsAskedForStopsTheStartWithTheFlag() throws Exception {
        assertThat(start("kvbm.device.enabled=true", "kvbm.device.blocks=4"))
                .noneMatch(line -> line.startsWith("started "))
                .contains("The KV-cache block manager cannot be made: kvbm.device.enabled is true, but no GPU can be"
                        + " used: native access is denied; start the JVM with " + FLAG + ".");
    }

    private static List<String> start(String... properties) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx192m",
                        "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--illegal-native-access=deny", "-cp",
                        System.getProperty("java.class.path"), StartupMain.class.getName(), "--server.port=0"));
        Stream.concat(Stream.of("kvbm.model.id=small", "kvbm.model.revision=r1"),
                Arrays.stream(SmallCache.properties(properties)))
                .map(property -> "--" + property)
                .forEach(command::add);
        Path said = Files.createTempFile("kvbm-native-access", ".log");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
        try {
            assertThat(process.waitFor(2, TimeUnit.MINUTES)).as("it ends").isTrue();
            return Files.readAllLines(said);
        } finally {
            process.destroyForcibly();
            Files.delete(said);
        }
    }
}
