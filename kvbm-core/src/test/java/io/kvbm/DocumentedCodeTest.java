package io.kvbm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;

/** The programs in the documents compile, run, and print what stands behind each of their lines that print. */
@EnabledOnOs(OS.LINUX)
class DocumentedCodeTest {

    private static final Path REPOSITORY = Path.of("..");
    private static final Pattern JAVA = Pattern.compile("^```java\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL);
    private static final Pattern CLASS = Pattern.compile("^class (\\w+) \\{$", Pattern.MULTILINE);
    private static final Pattern PRINTS = Pattern.compile("^ *System\\.out\\.println\\(.*\\); // (.*)$",
            Pattern.MULTILINE);

    /** A program in a document. */
    record Program(String name, String code) {

        @Override
        public String toString() {
            return name;
        }
    }

    static List<Program> programs() throws IOException {
        List<Program> programs = new ArrayList<>();
        try (Stream<Path> docs = Files.list(REPOSITORY.resolve("docs"))) {
            for (Path document : Stream.concat(Stream.of(REPOSITORY.resolve("README.md")), docs)
                    .filter(path -> path.toString().endsWith(".md"))
                    .sorted()
                    .toList()) {
                JAVA.matcher(Files.readString(document))
                        .results()
                        .map(block -> block.group(1))
                        .filter(code -> code.contains("static void main("))
                        .forEach(code -> programs.add(new Program(name(code), code)));
            }
        }
        return programs;
    }

    private static String name(String code) {
        return CLASS.matcher(code).results().findFirst().map(found -> found.group(1)).orElseThrow();
    }

    @Test
    void theProgramsAreFound() throws IOException {
        assertThat(programs()).extracting(Program::name).contains("TwoWorkers", "ToyEngine");
    }

    @ParameterizedTest
    @MethodSource("programs")
    void aProgramPrintsWhatItSays(Program program, @TempDir Path folder) throws Exception {
        Path source = Files.writeString(folder.resolve(program.name() + ".java"), program.code());
        Path said = folder.resolve("said");
        Path complaints = folder.resolve("complaints");
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m", "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"),
                source.toString())
                .redirectOutput(said.toFile())
                .redirectError(complaints.toFile())
                .start();
        try {
            assertThat(process.waitFor(2, TimeUnit.MINUTES)).as("it ends").isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(process.exitValue()).as(Files.readString(complaints)).isZero();
        List<String> expected = PRINTS.matcher(program.code()).results().map(line -> line.group(1)).toList();
        assertThat(expected).isNotEmpty();
        assertThat(Files.readString(said).lines()).containsExactlyElementsOf(expected);
    }
}
