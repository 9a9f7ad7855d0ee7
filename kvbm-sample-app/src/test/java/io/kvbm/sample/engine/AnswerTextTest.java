package io.kvbm.sample.engine;

import java.util.List;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

import io.kvbm.sample.model.ModelFiles;
import io.kvbm.sample.model.Prompt;
import io.kvbm.sample.model.TextTokenizer;

import static org.assertj.core.api.Assertions.assertThat;

/** Text that comes token by token. */
class AnswerTextTest {

    private static final TextTokenizer TOKENIZER = new TextTokenizer(ModelFiles.at("classpath:/models/gpt2"));

    @AfterAll
    static void close() {
        TOKENIZER.close();
    }

    @Test
    void piecesMakeTheWholeAndACharacterComesOnlyWhole() {
        String text = "the größte 名前 \uD83D\uDE00 list";
        AnswerText answer = new AnswerText(TOKENIZER, List.of());
        StringBuilder pieces = new StringBuilder();
        for (int token : TOKENIZER.encode(Prompt.of(text), 1000)) {
            answer.add(token);
            String piece = answer.take();
            assertThat(piece).doesNotContain("\uFFFD");
            pieces.append(piece);
        }
        answer.end();

        assertThat(pieces.append(answer.takeRest())).hasToString(text);
        assertThat(answer).hasToString(text);
    }

    @Test
    void aCharacterThatIsNeverFinishedIsLeftOut() {
        int[] tokens = TOKENIZER.encode(Prompt.of("a\uD83D\uDE00"), 100);
        AnswerText answer = new AnswerText(TOKENIZER, List.of());
        for (int i = 0; i < tokens.length - 1; i++) {
            answer.add(tokens[i]);
        }
        answer.end();

        assertThat(answer).hasToString("a");
    }

    @Test
    void theBeginningOfAStopTextIsHeldBackUntilItIsNone() {
        AnswerText answer = new AnswerText(TOKENIZER, List.of("zq9x"));
        assertThat(taken(answer, "a zq")).isEqualTo("a ");
        assertThat(answer.stopped()).isFalse();
        assertThat(taken(answer, "7 zq9")).isEqualTo("zq7 ");
        assertThat(taken(answer, "x more")).isEmpty();
        assertThat(answer.stopped()).isTrue();
        answer.end();

        assertThat(answer.takeRest()).isEmpty();
        assertThat(answer).hasToString("a zq7 ");
    }

    @Test
    void theFirstOfSeveralStopTextsEndsTheAnswer() {
        AnswerText answer = new AnswerText(TOKENIZER, List.of("8", "7"));
        taken(answer, "6 7 8");

        assertThat(answer).hasToString("6 ");
    }

    private static String taken(AnswerText answer, String text) {
        StringBuilder taken = new StringBuilder();
        for (int token : TOKENIZER.encode(Prompt.of(text), 100)) {
            answer.add(token);
            taken.append(answer.take());
        }
        return taken.toString();
    }
}
