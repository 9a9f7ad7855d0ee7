package io.kvbm.sample.web;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.web.server.LocalServerPort;
import tools.jackson.databind.JsonNode;

import io.kvbm.KvBlockManager;

import static org.assertj.core.api.Assertions.assertThat;

/** What reuse gives to who talks for a while. */
@SpringBootTest(webEnvironment = SpringBootTest.WebEnvironment.RANDOM_PORT, properties = "kvbm.host.size=64MB")
class ConversationTest {

    private static final String INSTRUCTIONS = """
            You answer questions on the Python language and its library. Name the module and the function, say what the
            arguments are and what is returned, and which exception is raised when something goes wrong. Give a short
            example where one helps. Do not guess: where the documentation says nothing, say that it does not. Prefer the
            standard library to other packages, and what works in every version to what is new. Strings are quoted the way
            the documentation quotes them, and code is indented by four spaces. Answers are short: a few sentences, then
            the example. If a question is not about Python, say so and ask for one that is.""";

    private static final List<String> QUESTIONS = List.of("What does os.path.join do?",
            "And what if one part is absolute?",
            "How do I read a text file line by line?", "Which encoding is used then?", "How is a list sorted in place?",
            "Can I give it a key function?", "What is a context manager?", "How does json write a dictionary?",
            "How do I run another program?", "What happens when it fails?");

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
        assertThat(manager.host().orElseThrow().stats().holders()).as("open handles").isZero();
        assertThat(manager.stats().openSequences()).as("open sequences").isZero();
    }

    @Test
    void fromTheSecondOfTenTurnsOnFourFifthsOfThePromptAreReused() throws Exception {
        List<Map<String, String>> messages = new ArrayList<>();
        messages.add(Map.of("role", "system", "content", INSTRUCTIONS));
        StringBuilder figures = new StringBuilder("ConversationTest: reused of each turn's prompt:");
        for (int turn = 1; turn <= 10; turn++) {
            messages.add(Map.of("role", "user", "content", QUESTIONS.get(turn - 1)));
            SampleClient.Answer answer = client.ask("/v1/chat/completions",
                    Map.of("messages", messages, "max_tokens", 48), "conversation");
            assertThat(answer.status()).as("turn %d: %s", turn, answer.body()).isEqualTo(200);
            JsonNode usage = answer.body().at("/usage");
            double reused = usage.at("/prompt_tokens_details/cached_tokens").asDouble()
                    / usage.at("/prompt_tokens").asDouble();
            figures.append(" %.0f %% of %d".formatted(100 * reused, usage.at("/prompt_tokens").asInt()));
            if (turn == 1) {
                assertThat(reused).isZero();
            } else {
                assertThat(reused).as("turn %d: %s", turn, usage).isGreaterThanOrEqualTo(0.8);
            }
            messages.add(Map.of("role", "assistant", "content",
                    answer.body().at("/choices/0/message/content").asString()));
        }
        System.out.println(figures);
    }

    @Test
    void theFirstTokenAfterALongPrefixComesManyTimesSoonerThanWithoutReuse() throws Exception {
        Map<String, ?> question = Map.of("prompt", (INSTRUCTIONS + "\n\n").repeat(9), "max_tokens", 4, "stream", true);
        int tokens = client.ask("/v1/completions", Map.of("prompt", question.get("prompt"), "max_tokens", 1), "count")
                .body()
                .at("/usage/prompt_tokens")
                .asInt();
        assertThat(tokens).isGreaterThan(1500);
        int runs = 7;
        long[] without = new long[runs];
        long[] with = new long[runs];
        for (int run = -2; run < runs; run++) { // the first two are for the JVM
            long computed = client.nanosToFirstText(question, "tenant " + run);
            long reused = client.nanosToFirstText(question, "tenant " + run);
            if (run >= 0) {
                without[run] = computed;
                with[run] = reused;
            }
        }
        Arrays.sort(without);
        Arrays.sort(with);
        double ratio = (double) without[runs / 2] / with[runs / 2];
        System.out.printf(
                "ConversationTest: first text of a prompt of %d tokens, medians of %d: %.1f ms computed, %.1f ms"
                        + " reused, ratio %.1f%n",
                tokens, runs, without[runs / 2] / 1e6, with[runs / 2] / 1e6, ratio);
        assertThat(ratio).isGreaterThan(5);
    }
}
