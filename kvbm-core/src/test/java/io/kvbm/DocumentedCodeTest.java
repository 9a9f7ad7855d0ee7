package io.kvbm;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

import javax.tools.ToolProvider;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The programs in the documents compile, run, and print what stands behind each of their lines that print; excerpts
 * compile.
 */
@EnabledOnOs(OS.LINUX)
class DocumentedCodeTest {

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
        return Documents.blocks("java")
                .map(Documents.Block::text)
                .filter(DocumentedCodeTest::isProgram)
                .map(code -> new Program(name(code), code))
                .toList();
    }

    private static boolean isProgram(String code) {
        return code.contains("static void main(");
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

    /** An excerpt in an application that it could be taken from. */
    private static String application(String excerpt) {
        return """
            import java.util.List;

            import io.kvbm.KvBlockManager;
            import io.kvbm.KvSequence;
            import io.kvbm.block.Block;

            class Application {

                interface Engine {

                    void compute(int[] tokens, int done, List<Block> blocks);
                }

                static void answer(KvBlockManager manager, Engine engine, int[] promptTokens, String tenant) {
                    %s
                }
            }
            """.formatted(excerpt);
    }

    @Test
    void anExcerptCompiles(@TempDir Path folder) throws IOException {
        List<String> excerpts = Documents.blocks("java")
                .map(Documents.Block::text)
                .filter(code -> !isProgram(code))
                .toList();
        assertThat(excerpts).isNotEmpty();
        for (String excerpt : excerpts) {
            Path source = Files.writeString(folder.resolve("Application.java"), application(excerpt));
            ByteArrayOutputStream complaints = new ByteArrayOutputStream();
            int status = ToolProvider.getSystemJavaCompiler()
                    .run(null, null, complaints, "-proc:none", "-cp", System.getProperty("java.class.path"), "-d",
                            folder.toString(), source.toString());
            assertThat(status).as(complaints.toString(StandardCharsets.UTF_8)).isZero();
        }
    }
}
