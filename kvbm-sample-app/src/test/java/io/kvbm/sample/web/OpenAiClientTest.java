package io.kvbm.sample.web;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;

import static org.assertj.core.api.Assertions.assertThat;

/** OpenAI's own client for Python, where {@code .ci/openai} has put it. */
@Tag("python")
@EnabledIf("clientIsThere")
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = "kvbm.host.size=2MB")
class OpenAiClientTest {

    private static final Path PYTHON = Path.of("/usr/local/lib/kvbm-openai/bin/python");

    /** The program in a document. */
    private static final Pattern PROGRAM = Pattern.compile("^ *```python[^\n]*\n(.*?)^ *```$",
            Pattern.MULTILINE | Pattern.DOTALL);

    @LocalServerPort
    private int port;

    static boolean clientIsThere() {
        String required = System.getenv().getOrDefault("KVBM_REQUIRE", "");
        return Arrays.asList(required.split(",", -1)).contains("openai") || Files.isExecutable(PYTHON);
    }

    @Test
    void listsCompletesChatsStreamsAndIsRefusedInItsOwnExceptions() throws IOException, InterruptedException {
        String said = said("src/test/python/openai_client.py", "http://localhost:" + port);

        assertThat(said.lines()).containsExactly("models kvbm-sample-decoder", "completed", "streamed", "chatted",
                "streamed a chat", "drew by seed", "kept tenants apart", "refused NotFoundError model_not_found",
                "refused NotFoundError model_not_found", "refused BadRequestError context_length_exceeded",
                "refused BadRequestError None", "refused BadRequestError None");
    }

    @Test
    void theProgramInTheDocumentPrintsAnAnswer(@TempDir Path folder) throws IOException, InterruptedException {
        Matcher program = PROGRAM.matcher(Files.readString(Path.of("..", "docs", "sample.md")));
        assertThat(program.find()).isTrue();
        Path file = Files.writeString(folder.resolve("program.py"),
                program.group(1).replace("localhost:8080", "localhost:" + port));

        assertThat(said(file.toString())).isNotBlank();
    }

    private static String said(String... program) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(PYTHON.toString()));
        command.addAll(List.of(program));
        Process client = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(client.waitFor()).as(said).isZero();
        return said;
    }
}
