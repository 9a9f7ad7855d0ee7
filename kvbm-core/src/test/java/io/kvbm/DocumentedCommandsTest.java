package io.kvbm;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/** The commands in the documents are run by a script of the CI, or it is said here why not. */
class DocumentedCommandsTest {

    /** What a line of a block of commands begins with; others are pictures, formulas, and lines that go on. */
    private static final Pattern COMMAND = Pattern
            .compile("^(?:[A-Z_]+=\\S+ )*(?:mvn|curl|java|python3?|tar|bash|docker|\\.ci/|docs/bench/|gpu-suite/)");

    /** How a command begins, and the script in which that stands. */
    private static final Map<String, String> RUN = Map.of(
            "mvn verify", ".ci/run",
            "mvn spring-boot:run", ".ci/smoke",
            "curl -s localhost:8080/v1/completions", ".ci/smoke",
            ".ci/gpu-suite", ".ci/run");

    /** How a command begins, and why no script runs it. */
    private static final Map<String, String> NOT_RUN = Map.of(
            "tar -xzf gpu-suite.tar.gz", "on a machine with a GPU; .ci/gpu-suite unpacks and runs it with a stand-in",
            "gpu-suite/run test", "needs a GPU; .ci/gpu-suite runs the same with a stand-in",
            "gpu-suite/run bench", "needs a GPU",
            "python3 docs/bench/cuda-ratios.py", "needs what the line before has measured",
            "java -jar kvbm-sample-app/target/kvbm-sample-app.jar --kvbm.sample.model-path=FOLDER",
            "with a folder of the reader's; .ci/smoke starts the jar, ExportedModelTest loads such folders",
            "KVBM_SEED=<seed> mvn -pl kvbm-core test", "with a seed that a failed run has printed");

    private static List<String> commands() throws IOException {
        return Documents.blocks("")
                .flatMap(block -> block.text().lines())
                .filter(line -> COMMAND.matcher(line).lookingAt())
                .toList();
    }

    private static boolean beginsWithOneOf(String command, Map<String, String> known) {
        return known.keySet().stream().anyMatch(command::startsWith);
    }

    @Test
    void everyCommandIsRunOrSaysWhyNot() throws IOException {
        assertThat(commands()).hasSizeGreaterThan(5)
                .allMatch(command -> beginsWithOneOf(command, RUN) || beginsWithOneOf(command, NOT_RUN));
    }

    @Test
    void whatIsSaidOfCommandsIsSaidOfOneThatIsThere() throws IOException {
        List<String> commands = commands();
        assertThat(RUN.keySet()).allMatch(begin -> commands.stream().anyMatch(command -> command.startsWith(begin)));
        assertThat(NOT_RUN.keySet())
                .allMatch(begin -> commands.stream().anyMatch(command -> command.startsWith(begin)));
    }

    @Test
    void theScriptsHaveTheCommands() {
        assertThat(RUN.entrySet()).allSatisfy(command -> assertThat(
                Files.readString(Documents.REPOSITORY.resolve(command.getValue()))).contains(command.getKey()));
    }
}
