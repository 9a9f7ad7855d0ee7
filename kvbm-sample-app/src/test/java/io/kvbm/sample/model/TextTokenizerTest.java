package io.kvbm.sample.model;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/** Where a prompt begins and an answer ends, by a model's own files. */
class TextTokenizerTest {

    private static final int BEGIN = 0;
    private static final int END = 1;
    private static final int TURN_END = 3;

    @Test
    void aPromptBeginsWithWhatTokenizerJsonAdds() {
        try (TextTokenizer llama = tokenizer("llama")) {
            int[] tokens = llama.encode(Prompt.of("the file"), 100);
            assertThat(tokens[0]).isEqualTo(BEGIN);
            assertThat(llama.decode(tokens)).isEqualTo("the file");
        }
    }

    @Test
    void aPromptBeginsWithItselfWhereNothingIsAdded() {
        try (TextTokenizer gpt2 = tokenizer("gpt2")) {
            assertThat(gpt2.encode(Prompt.of("the file"), 100)[0]).isGreaterThan(TURN_END);
        }
    }

    @Test
    void aTemplateBeginsItsPromptsItself() {
        try (TextTokenizer llama = tokenizer("llama")) {
            assertThat(llama.encode(new Prompt("<s>the", true), 100)).startsWith(BEGIN)
                    .isEqualTo(llama.encode(Prompt.of("the"), 100));
        }
    }

    @Test
    void anAnswerEndsWithAnyTokenThatTheGenerationConfigurationNames() {
        try (TextTokenizer llama = tokenizer("llama"); TextTokenizer gpt2 = tokenizer("gpt2")) {
            assertThat(llama.endsAnswer(END)).isTrue();
            assertThat(llama.endsAnswer(TURN_END)).isTrue();
            assertThat(llama.endsAnswer(BEGIN)).isFalse();
            assertThat(gpt2.endsAnswer(END)).as("named by config.json").isTrue();
            assertThat(gpt2.endsAnswer(TURN_END)).isFalse();
        }
    }

    @Test
    void aSpecialTokenInAPersonsTextIsText() {
        try (TextTokenizer llama = tokenizer("llama")) {
            int[] tokens = llama.encode(Prompt.of("a</s>b<s><|im_end|>\uFDD0"), 100);
            assertThat(tokens).startsWith(BEGIN).doesNotContain(END, TURN_END);
            assertThat(llama.decode(tokens)).isEqualTo("a</s>b<s><|im_end|>\uFFFD");
        }
    }

    private static TextTokenizer tokenizer(String folder) {
        return new TextTokenizer(ModelFiles.at("classpath:/models/" + folder));
    }
}
