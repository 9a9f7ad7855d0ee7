package io.kvbm.sample.web;

import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import io.kvbm.KvBlockManager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** Chats, and answers that come piece by piece. */
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = "kvbm.host.size=2MB")
class StreamsOverHttpTest {

    private static final String CHAT = """
            {"messages": [{"role": "user", "content": "What does os.path.join do?"}], "max_tokens": 40, "stream": %s}""";

    private final JsonMapper json = JsonMapper.builder().build();

    @LocalServerPort
    private int port;

    @Autowired
    private KvBlockManager manager;

    private SampleClient client;

    @BeforeEach
    void connect() {
        client = new SampleClient(port);
    }

    @AfterEach
    void nothingIsLeftOpen() {
        client.close();
        await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
            assertThat(manager.host().orElseThrow().stats().holders()).as("open handles").isZero();
            assertThat(manager.stats().openSequences()).as("open sequences").isZero();
        });
    }

    @Test
    void theEventsOfAChatMakeTheAnswerThatComesWhole() throws Exception {
        JsonNode whole = json.readTree(client.post("/v1/chat/completions", CHAT.formatted(false), "").body());
        HttpResponse<String> streamed = client.post("/v1/chat/completions", CHAT.formatted(true), "");

        assertThat(streamed.headers().firstValue("Content-Type")).get().asString().startsWith("text/event-stream");
        assertThat(streamed.body()).endsWith("data: [DONE]\n\n");
        List<JsonNode> events = events(streamed.body());
        StringBuilder text = new StringBuilder();
        events.forEach(event -> text.append(event.at("/choices/0/delta/content").asString("")));
        assertThat(events.getFirst().at("/choices/0/delta/role").asString()).isEqualTo("assistant");
        assertThat(events).hasSizeGreaterThan(10)
                .allSatisfy(event -> assertThat(event.at("/object").asString()).isEqualTo("chat.completion.chunk"));
        assertThat(text.toString()).isEqualTo(whole.at("/choices/0/message/content").asString()).isNotEmpty();
        assertThat(events.getLast().at("/choices/0/finish_reason"))
                .isEqualTo(whole.at("/choices/0/finish_reason"));
        assertThat(whole.at("/object").asString()).isEqualTo("chat.completion");
    }

    @Test
    void theSecondTurnOfAChatReusesTheFirst() throws Exception {
        String turn = "{\"role\": \"user\", \"content\": \"Explain how a context manager closes a file. \"}";
        JsonNode first = json
                .readTree(client.post("/v1/chat/completions", "{\"messages\": [" + turn + "]}", "turns").body());
        String answer = json.writeValueAsString(first.at("/choices/0/message"));
        JsonNode second = json.readTree(client.post("/v1/chat/completions",
                "{\"messages\": [" + turn + "," + answer + "," + turn + "], \"max_tokens\": 1}", "turns").body());

        assertThat(first.at("/usage/prompt_tokens_details/cached_tokens").asInt()).isZero();
        assertThat(second.at("/usage/prompt_tokens_details/cached_tokens").asInt())
                .isGreaterThanOrEqualTo(first.at("/usage/prompt_tokens").asInt() / 16 * 16);
    }

    @Test
    void whatOneTenantComputedIsNotFoundByAnother() throws Exception {
        for (String tenant : List.of("blue", "green")) {
            JsonNode answer = json.readTree(client.post("/v1/chat/completions", CHAT.formatted(false), tenant).body());
            assertThat(answer.at("/usage/prompt_tokens_details/cached_tokens").asInt()).as(tenant).isZero();
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            {}                                                                      | messages is missing
            {"messages": []}                                                        | messages is missing
            {"messages": [{"role": "user"}]}                                        | no role or no content
            {"messages": [{"role": "user", "content": 7}]}                          | only text is served
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}    | only text is served
            {"messages": [{"role": "tool", "content": "a"}]}                        | and not tool
            {"messages": [{"role": "user", "content": "a"}], "max_tokens": 0}       | max_tokens is 0
            {"messages": [{"role": "user", "content": "a"}], "max_tokens": 5000}    | context is 4096
            {"messages": [{"role": "user", "content": "a"}], "tools": [{}]}         | tools has 1 entries
            {"messages": [{"role": "user", "content": "a"}], "stream": true, "max_tokens": 5000} | context is 4096
            """)
    void aChatThatCannotBeServedIsRefusedInWords(String body, String message) throws Exception {
        HttpResponse<String> response = client.post("/v1/chat/completions", body, "");

        assertThat(response.statusCode()).isEqualTo(400);
        JsonNode error = json.readTree(response.body()).at("/error");
        assertThat(error.at("/message").asString()).contains(message);
        assertThat(error.at("/type").asString()).isEqualTo("invalid_request_error");
    }

    @ParameterizedTest
    @CsvSource({"/v1/completions, 404, model_not_found", "/v1/nothing, 404, unknown_url", "/v1/models, 405, "})
    void whatIsNotThereIsSaidInOpenAisForm(String path, int status, String code) throws Exception {
        HttpResponse<String> response = client.post(path, "{\"prompt\": \"a\", \"model\": \"other\"}", "");

        assertThat(response.statusCode()).isEqualTo(status);
        JsonNode error = json.readTree(response.body()).at("/error");
        assertThat(error.at("/message").asString()).isNotEmpty();
        assertThat(error.at("/code").stringValue(null)).isEqualTo(code);
    }

    private List<JsonNode> events(String stream) {
        return stream.lines()
                .filter(line -> line.startsWith("data: {"))
                .map(line -> json.readTree(line.substring("data: ".length())))
                .toList();
    }
}
