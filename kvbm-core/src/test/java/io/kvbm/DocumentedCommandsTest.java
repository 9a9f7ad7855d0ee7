package io.kvbm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/** The commands in the documents are run by a script of the CI, or it is said here why not. */
class DocumentedCommandsTest {

    private static final Set<String> SHELLS = Set.of("sh", "bash", "shell", "console");

    /** What is not for a shell. */
    private static final Set<String> OTHERS = Set.of("java", "json", "python", "text", "xml", "yaml");

    private static final Pattern COMMENT = Pattern.compile("(?:^|\\s+)#.*");

    /** Up to what ends a command within its line, unless that is quoted. */
    private static final Pattern PART = Pattern.compile("(?:'[^']*'|\"[^\"]*\"|[<>]&|[^'\"|;&])+");

    /** A script of the CI, and what in it runs a command. */
    record Script(String path, String text) {}

    private static final Script AOT = new Script(".ci/aot",
            "'/^## An AOT cache/,/^```$/s/^java /java /p' docs/operations.md");

    /** How a command begins, and what runs it. */
    private static final Map<String, Script> RUN = Map.of(
            "mvn verify", new Script(".ci/run", "mvn verify"),
            "mvn spring-boot:run", new Script(".ci/smoke", "readme \"mvn spring-boot:run\""),
            "mvn spring-boot:run -Dspring-boot.run.arguments=--server.port=8081",
            new Script(".ci/smoke", "readme \"mvn spring-boot:run -D\""),
            "curl -s localhost:8080/v1/completions",
            new Script(".ci/smoke", "readme \"curl -s localhost:8080/v1/completions\""),
            ".ci/gpu-suite", new Script(".ci/run", ".ci/gpu-suite"),
            "java -Djarmode=tools", AOT,
            "java -XX:AOTCacheOutput=app/app.aot", AOT,
            "java -XX:AOTCache=app/app.aot", AOT);

    /** How a command begins, and why no script runs it. */
    private static final Map<String, String> NOT_RUN = Map.of(
            "tar -xzf gpu-suite.tar.gz", "on a machine with a GPU; .ci/gpu-suite unpacks and runs it with a stand-in",
            "gpu-suite/run test", "needs a GPU; .ci/gpu-suite runs the same with a stand-in",
            "gpu-suite/run bench", "needs a GPU; .ci/gpu-suite runs the same with a stand-in",
            "python3 docs/bench/cuda-ratios.py", "needs what the line before has measured",
            "optimum-cli export onnx", "needs Hugging Face Optimum; ExportedModelTest loads what it has written",
            "java -jar kvbm-sample-app/target/kvbm-sample-app.jar --kvbm.sample.model-path=FOLDER",
            "with a folder of the reader's; .ci/smoke starts the jar, ExportedModelTest loads such folders",
            "jcmd PID JFR.start", "with the reader's process; FlightRecorderTest records the same events",
            "jfr print --events 'kvbm.*' kvbm.jfr", "needs what the line before has recorded",
            "KVBM_SEED=<seed> mvn -pl kvbm-core test", "with a seed that a failed run has printed");

    /** A command in a document, without what follows it in its line. */
    record Command(Path document, String text) {

        boolean beginsWith(String begin) {
            return (text + " ").startsWith(begin + " ");
        }

        boolean beginsWithOneOf(Set<String> known) {
            return known.stream().anyMatch(this::beginsWith);
        }
    }

    private static List<Command> commands() throws IOException {
        return Documents.blocks()
                .filter(block -> SHELLS.contains(block.language()))
                .flatMap(block -> lines(block).flatMap(line -> PART.matcher(line).results())
                        .map(MatchResult::group)
                        .map(String::strip)
                        .filter(text -> !text.isEmpty())
                        .map(text -> new Command(block.document(), text)))
                .toList();
    }

    /** What is typed, as the lines that it is to the shell. */
    private static Stream<String> lines(Documents.Block block) {
        Stream<String> lines = block.text().replace("\\\n", " ").lines();
        if (block.language().equals("console")) { // has the answers, too
            lines = lines.filter(line -> line.startsWith("$ ")).map(line -> line.substring(2));
        }
        return lines.map(line -> COMMENT.matcher(line).replaceFirst(""));
    }

    @Test
    void everyCommandIsRunOrSaysWhyNot() throws IOException {
        assertThat(commands()).hasSizeGreaterThan(10)
                .allSatisfy(command -> assertThat(
                        command.beginsWithOneOf(RUN.keySet()) || command.beginsWithOneOf(NOT_RUN.keySet()))
                        .as("In %s nobody knows '%s': let a script of .ci run it and add it to RUN here, or say"
                                + " in NOT_RUN why none does", command.document(), command.text())
                        .isTrue());
    }

    @Test
    void everyBlockSaysWhetherItHasCommands() throws IOException {
        assertThat(Documents.blocks()).allSatisfy(block -> assertThat(
                SHELLS.contains(block.language()) || OTHERS.contains(block.language()))
                .as("In %s a block is in '%s', which nobody knows: write sh for commands and text for a picture, or"
                        + " add the language to OTHERS here:%n%s", block.document(), block.language(), block.text())
                .isTrue());
    }

    @Test
    void whatIsSaidOfCommandsIsSaidOfOneThatIsThere() throws IOException {
        List<Command> commands = commands();
        assertThat(Stream.concat(RUN.keySet().stream(), NOT_RUN.keySet().stream()))
                .allMatch(begin -> commands.stream().anyMatch(command -> command.beginsWith(begin)));
    }

    @Test
    void theScriptsHaveTheCommandsAndTheCiHasTheScripts() throws IOException {
        String all = Files.readString(Documents.REPOSITORY.resolve(".ci/run"));
        assertThat(RUN.values()).allSatisfy(script -> {
            assertThat(Files.readString(Documents.REPOSITORY.resolve(script.path()))).contains(script.text());
            assertThat(script.path().equals(".ci/run") || all.contains("\n" + script.path())).as(script.path())
                    .isTrue();
        });
    }
}
