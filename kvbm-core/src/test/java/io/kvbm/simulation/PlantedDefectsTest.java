package io.kvbm.simulation;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import javax.tools.ToolProvider;

import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The simulation is only worth as much as it finds: the code is compiled with one defect in it, and the simulation of
 * that code has to end with a violation.
 */
@EnabledOnOs(OS.LINUX)
class PlantedDefectsTest {

    private static final int SEEDS = 5000;
    private static final Path SOURCES = Path.of("src/main/java/io/kvbm");

    /** What is wrong, and where. */
    enum Defect {
        SECOND_GENERATION_CHECK_IS_SKIPPED("remote/MappedLevel.java",
                "int still = wanted.lookAgain(board, from, good);", "int still = good;"),

        WRITE_LEASE_IS_FREE_WHEN_ITS_TIME_IS_OVER("remote/Lease.java",
                "return over && pulls == 0 && (done || !mayBeWritten());", "return over && pulls == 0;"),

        EPOCH_OF_A_DESCRIPTOR_IS_IGNORED("remote/Peer.java",
                "if (named.isPresent() && named.getAsLong() != epoch()) {", "if (false) {"),

        GENERATION_OF_A_DESCRIPTOR_IS_IGNORED("remote/Wanted.java", "return look(board, from, to);", "return to;"),

        COPIES_INTO_ONE_BLOCK_OVERLAP("remote/Leases.java", "if (filling.contains(pin.id())) {", "if (false) {");

        private final String file;
        private final String code;
        private final String defect;

        Defect(String file, String code, String defect) {
            this.file = file;
            this.code = code;
            this.defect = defect;
        }

        /** Compiles the file with the defect. */
        void compile(Path to) throws IOException {
            String sound = Files.readString(SOURCES.resolve(file));
            assertThat(sound).as(file).contains(code);
            Path source = to.resolve("src").resolve(Path.of(file).getFileName());
            Files.createDirectories(source.getParent());
            Files.writeString(source, sound.replace(code, defect));
            int result = ToolProvider.getSystemJavaCompiler()
                    .run(null, null, null, "-proc:none", "-nowarn", "-cp", System.getProperty("java.class.path"), "-d",
                            to.toString(), source.toString());
            assertThat(result).as("compiling %s", this).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(Defect.class)
    void isFound(Defect defect, @TempDir Path compiled) throws Exception {
        defect.compile(compiled);
        long first = RandomCase.seed("PlantedDefectsTest." + defect);
        try (URLClassLoader loader = loader(compiled)) {
            Method simulation = loader.loadClass(Simulation.class.getName()).getDeclaredMethod("run", long.class);
            simulation.setAccessible(true);
            var quiet = loader.loadClass(Quiet.class.getName()).getDeclaredConstructor();
            quiet.setAccessible(true);
            quiet.newInstance();
            int seeds = 0;
            String violation = "";
            while (!breaksSafety(violation) && seeds < SEEDS) {
                violation = run(simulation, first + seeds++);
            }
            System.out.println("PlantedDefectsTest: " + defect + " found by seed " + seeds + ": "
                    + violation.lines().findFirst().orElse("not at all"));
            assertThat(breaksSafety(violation)).as(violation).isTrue();
        }
    }

    /** Whether there were wrong bytes (S1) or a block had two uses (S2), which each of the defects leads to. */
    private static boolean breaksSafety(String violation) {
        return violation.contains(": S1: ") || violation.contains(": S2: ");
    }

    private static String run(Method simulation, long seed) throws IllegalAccessException {
        try {
            simulation.invoke(null, seed);
            return "";
        } catch (InvocationTargetException e) {
            assertThat(e.getCause().getClass().getName()).isEqualTo(Violation.class.getName());
            return String.valueOf(e.getCause().getMessage());
        }
    }

    /** Everything is loaded anew, so that the class with the defect is used by all others. */
    private static URLClassLoader loader(Path compiled) {
        List<URL> path = new ArrayList<>(List.of(url(compiled)));
        Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .map(Path::of)
                .map(PlantedDefectsTest::url)
                .forEach(path::add);
        return new URLClassLoader(path.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
    }

    private static URL url(Path path) {
        try {
            return path.toUri().toURL();
        } catch (MalformedURLException e) {
            throw new UncheckedIOException(e);
        }
    }
}
