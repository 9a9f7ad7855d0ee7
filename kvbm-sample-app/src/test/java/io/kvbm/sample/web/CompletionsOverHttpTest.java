package io.kvbm.sample.web;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import org.junit.jupiter.api.AfterEach;
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

/** The service as its clients see it. */
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = {"kvbm.host.size=2MB",
    "kvbm.sample.patience=30s"})
class CompletionsOverHttpTest {

    private static final String PROMPT = "The built-in function open() opens a file and returns a file object. The argument mode is";

    private final JsonMapper json = JsonMapper.builder().build();
    private final HttpClient client = HttpClient.newHttpClient();

    @LocalServerPort
    private int port;

    @Autowired
    private KvBlockManager manager;

    @AfterEach
    void nothingIsLeftOpen() {
        assertThat(manager.host().orElseThrow().stats().holders()).as("open handles").isZero();
        assertThat(manager.stats().openSequences()).as("open sequences").isZero();
    }

    @Test
    void theSamePromptTwiceIsAnsweredTheSameAndComputedOnce() throws Exception {
        JsonNode first = completion(PROMPT);
        JsonNode second = completion(PROMPT);

        assertThat(second.at("/choices")).isEqualTo(first.at("/choices"));
        assertThat(first.at("/usage/prompt_tokens_details/cached_tokens").asInt()).isZero();
        assertThat(second.at("/usage/prompt_tokens_details/cached_tokens").asInt()).isPositive()
                .isLessThan(second.at("/usage/prompt_tokens").asInt())
                .isEqualTo(16);
    }

    @Test
    void theAnswerHasTheFormThatClientsOfOpenAiExpect() throws Exception {
        JsonNode answer = completion("import os");

        assertThat(answer.at("/id").asString()).startsWith("cmpl-");
        assertThat(answer.at("/object").asString()).isEqualTo("text_completion");
        assertThat(answer.at("/created").asLong()).isGreaterThan(1_700_000_000);
        assertThat(answer.at("/model").asString()).isEqualTo("kvbm-sample-decoder");
        assertThat(answer.at("/choices").size()).isEqualTo(1);
        assertThat(answer.at("/choices/0/text").asString()).isNotEmpty();
        assertThat(answer.at("/choices/0/index").asInt()).isZero();
        assertThat(answer.at("/choices/0/logprobs").isNull()).isTrue();
        assertThat(answer.at("/choices/0/finish_reason").asString()).isIn("stop", "length");
        assertThat(answer.at("/usage/total_tokens").asInt()).isEqualTo(
                answer.at("/usage/prompt_tokens").asInt() + answer.at("/usage/completion_tokens").asInt());
    }

    @Test
    void aStopTextEndsTheAnswerAndIsNotPartOfIt() throws Exception {
        String whole = completion(PROMPT).at("/choices/0/text").asString();
        String stop = whole.substring(whole.length() / 2, whole.length() / 2 + 2);
        HttpResponse<String> response = post("{\"prompt\": " + json.writeValueAsString(PROMPT)
                + ", \"max_tokens\": 24, \"stop\": " + json.writeValueAsString(stop) + "}");
        JsonNode answer = json.readTree(response.body());

        assertThat(answer.at("/choices/0/text").asString()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
        assertThat(answer.at("/choices/0/finish_reason").asString()).isEqualTo("stop");
    }

    @Test
    void manyClientsAtOnceGetTheAnswerThatOneGets() throws Exception {
        String alone = completion(PROMPT).at("/choices/0/text").asString();
        try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<JsonNode>> answers = new ArrayList<>();
            for (int i = 0; i < 32; i++) {
                answers.add(clients.submit(() -> completion(PROMPT)));
            }
            for (Future<JsonNode> answer : answers) {
                assertThat(answer.get().at("/choices/0/text").asString()).isEqualTo(alone);
            }
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
            {"prompt": ""}                                  | empty
            {}                                              | prompt is missing
            {"prompt": 7}                                   | not a completion request
            {"prompt": true}                                | not a completion request
            {"prompt": ["a"]}                               | not a completion request
            {"prompt": "a", "max_tokens": []}               | not a completion request
            {"prompt": "a", "max_tokens": 1.9}              | not a completion request
            {"prompt": "a", "max_tokens": "5"}              | not a completion request
            {"prompt": "a", "max_tokens": ""}               | not a completion request
            {"prompt": "a"                                  | not a completion request
            [1, 2]                                          | not a completion request
            {"prompt": "a", "max_tokens": 0}                | max_tokens is 0
            {"prompt": "a", "max_tokens": -5}               | max_tokens is -5
            {"prompt": "a", "max_tokens": "many"}           | not a completion request
            {"prompt": "a", "max_tokens": 5000}             | context is 4096
            {"prompt": "a", "max_tokens": 2147483647}       | context is 4096
            {"prompt": "a", "max_tokens": 2000}             | needs 126 cache blocks
            {"prompt": "a", "temperature": -0.7}            | temperature is -0.7
            {"prompt": "a", "temperature": 2.1}             | temperature is 2.1
            {"prompt": "a", "temperature": 1, "top_p": 0.5} | top_p is 0.5
            {"prompt": "a", "n": 2}                         | n is 2
            {"prompt": "a", "stop": ["a","b","c","d","e"]}  | stop has 5 texts
            """)
    void whatCannotBeServedIsRefusedInWords(String body, String message) throws Exception {
        HttpResponse<String> response = post(body);

        assertThat(response.statusCode()).isEqualTo(400);
        JsonNode error = json.readTree(response.body()).at("/error");
        assertThat(error.at("/message").asString()).contains(message);
        assertThat(error.at("/type").asString()).isEqualTo("invalid_request_error");
    }

    @Test
    void aPromptLongerThanTheContextIsRefused() throws Exception {
        HttpResponse<String> response = post("{\"prompt\": \"" + "word ".repeat(9000) + "\"}");

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json.readTree(response.body()).at("/error/code").asString()).isEqualTo("context_length_exceeded");
    }

    @Test
    void aPromptOfMoreCharactersThanAnyoneNeedsIsNotLookedAt() throws Exception {
        HttpResponse<String> response = post("{\"prompt\": \"" + "<|".repeat(200_000) + "\"}");

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json.readTree(response.body()).at("/error/message").asString()).contains("400000 characters");
    }

    @Test
    void aPromptOfManyBeginningsOfSpecialTokensIsGivenUpWhenItIsTooLong() throws Exception {
        HttpResponse<String> response = post("{\"prompt\": \"" + "<|".repeat(100_000) + "\"}");

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json.readTree(response.body()).at("/error/code").asString()).isEqualTo("context_length_exceeded");
    }

    @Test
    void aBodyThatIsTooLargeIsRefusedBeforeItIsReadWhole() throws Exception {
        HttpResponse<String> response = post("{\"prompt\": \"" + "a".repeat(3 << 20) + "\"}");

        assertThat(response.statusCode()).isEqualTo(413);
        assertThat(json.readTree(response.body()).at("/error/code").asString()).isEqualTo("request_too_large");
    }

    @Test
    void aSpecialTokenInThePromptIsText() throws Exception {
        int plain = completion("a b").at("/usage/prompt_tokens").asInt();
        int spelled = completion("a <|end|> b").at("/usage/prompt_tokens").asInt();

        assertThat(spelled).as("tokens of <|end|> as text").isGreaterThan(plain + 2);
    }

    @ParameterizedTest
    @CsvSource({"/actuator/health,UP", "/actuator/kvbm,fingerprint", "/actuator/prometheus,kvbm_",
        "/actuator/metrics,kvbm.", "/actuator/info,kvbm"})
    void operatorsSeeTheCache(String path, String word) throws Exception {
        HttpResponse<String> response = client.send(HttpRequest.newBuilder(uri(path)).build(),
                HttpResponse.BodyHandlers.ofString());

        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body()).contains(word);
    }

    private JsonNode completion(String prompt) throws Exception {
        HttpResponse<String> response = post(
                "{\"prompt\": " + json.writeValueAsString(prompt) + ", \"max_tokens\": 24, \"temperature\": 0}");
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json.readTree(response.body());
    }

    private HttpResponse<String> post(String body) throws Exception {
        return client.send(
                HttpRequest.newBuilder(uri("/v1/completions"))
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private URI uri(String path) {
        return URI.create("http://localhost:" + port + path);
    }
}
