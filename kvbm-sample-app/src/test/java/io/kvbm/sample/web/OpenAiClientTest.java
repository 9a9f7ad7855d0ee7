package io.kvbm.sample.web;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;

import static org.assertj.core.api.Assertions.assertThat;

/** OpenAI's own client for Python, where {@code .ci/openai} has put it. */
@Tag("python")
@EnabledIf("clientIsThere")
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = "kvbm.host.size=2MB")
class OpenAiClientTest {

    private static final Path PYTHON = Path.of("/usr/local/lib/kvbm-openai/bin/python");

    @LocalServerPort
    private int port;

    static boolean clientIsThere() {
        String required = System.getenv().getOrDefault("KVBM_REQUIRE", "");
        return Arrays.asList(required.split(",", -1)).contains("openai") || Files.isExecutable(PYTHON);
    }

    @Test
    void listsCompletesChatsStreamsAndIsRefusedInItsOwnExceptions() throws IOException, InterruptedException {
        Process client = new ProcessBuilder(PYTHON.toString(), "src/test/python/openai_client.py",
                "http://localhost:" + port).redirectErrorStream(true).start();
        String said = new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(client.waitFor()).as(said).isZero();
        assertThat(said.lines()).containsExactly("models kvbm-sample-decoder", "completed", "streamed", "chatted",
                "streamed a chat", "drew by seed", "kept tenants apart", "refused NotFoundError model_not_found",
                "refused NotFoundError model_not_found", "refused BadRequestError context_length_exceeded",
                "refused BadRequestError None", "refused BadRequestError None");
    }
}
