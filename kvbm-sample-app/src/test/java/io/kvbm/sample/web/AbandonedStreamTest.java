package io.kvbm.sample.web;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import org.springframework.core.io.ClassPathResource;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

import io.kvbm.KvBlockManager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** A client that goes away in the middle of a long answer: that of a model whose answers end at their limit only. */
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = "kvbm.host.size=2MB")
class AbandonedStreamTest {

    private static final String BODY = "{\"prompt\": \"Once upon a time\", \"max_tokens\": 900, \"stream\": %s}";

    @TempDir
    static Path model;

    @LocalServerPort
    private int port;

    @Autowired
    private KvBlockManager manager;

    @DynamicPropertySource
    static void aModelThatNeverEnds(DynamicPropertyRegistry properties) throws IOException {
        for (String file : List.of("model.onnx", "config.json", "tokenizer.json")) {
            try (InputStream shipped = new ClassPathResource("model/" + file).getInputStream()) {
                Files.copy(shipped, model.resolve(file));
            }
        }
        Files.writeString(model.resolve("generation_config.json"), "{\"eos_token_id\": []}");
        properties.add("kvbm.sample.model-path", model::toString);
    }

    /** The rest of the answer would be computed otherwise, and its blocks registered. */
    @Test
    void itsGenerationEndsAndItsBlocksAreFreed() throws Exception {
        try (SampleClient client = new SampleClient(port)) {
            assertThat(client.post("/v1/completions", BODY.formatted(false), "stays").body())
                    .contains("\"completion_tokens\":900");
        }
        long before = manager.host().orElseThrow().stats().registrations();
        String streamed = BODY.formatted(true);
        try (Socket socket = new Socket("localhost", port);
                BufferedReader answer = new BufferedReader(
                        new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8))) {
            socket.getOutputStream()
                    .write(("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-Tenant: gone\r\n"
                            + "Content-Type: application/json\r\nContent-Length: " + streamed.length() + "\r\n\r\n"
                            + streamed)
                            .getBytes(StandardCharsets.UTF_8));
            assertThat(answer.lines().filter(line -> line.startsWith("data: {")).findFirst()).isPresent();
            assertThat(manager.host().orElseThrow().stats().holders()).as("handles while it streams").isPositive();
        }

        await().atMost(Duration.ofSeconds(10))
                .until(() -> manager.host().orElseThrow().stats().holders() == 0
                        && manager.stats().openSequences() == 0);
        assertThat(manager.host().orElseThrow().stats().registrations() - before).as("blocks computed of 56")
                .isLessThan(50);
    }
}
