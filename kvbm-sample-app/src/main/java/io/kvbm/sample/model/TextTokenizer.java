package io.kvbm.sample.model;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.IntStream;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;

/** Text to tokens and back. Many threads may use it at once. */
public final class TextTokenizer implements AutoCloseable {

    private final HuggingFaceTokenizer tokenizer;
    private final SpecialTokens special;
    private final int[] beginning;

    /** The tokenizer of a model. */
    public TextTokenizer(ModelFiles files) {
        this.special = new SpecialTokens(files);
        try (InputStream json = files.open("tokenizer.json")) {
            this.tokenizer = HuggingFaceTokenizer.newInstance(json,
                    Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false"));
        } catch (IOException e) {
            throw files.unreadable("tokenizer.json", e);
        }
        this.beginning = beginning();
    }

    /** What tokenizer_config.json says every prompt begins with; where it says nothing, what tokenizer.json adds. */
    private int[] beginning() {
        if (special.beginsPrompt().isPresent()) {
            return special.beginsPrompt().get() ? special.token("bos_token")
                    .flatMap(special::id)
                    .stream()
                    .mapToInt(Integer::intValue)
                    .toArray() : new int[0];
        }
        return Arrays.stream(tokenizer.encode("", true, false).getIds())
                .mapToInt(Math::toIntExact)
                .filter(token -> !special.ends(token))
                .toArray();
    }

    /**
     * The tokens of a prompt. What spells a special token in a person's text stays text, so that nobody can end
     * somebody's turn by writing so.
     *
     * @param limit how many tokens are of use: a text of more is not looked at to its end, and has more for sure
     */
    public int[] encode(Prompt prompt, int limit) {
        IntStream.Builder tokens = IntStream.builder();
        String text = prompt.rendered() ? prompt.text() : special.broken(prompt.text());
        int count = 0;
        if (!prompt.rendered()) {
            Arrays.stream(beginning).forEach(tokens::add);
            count = beginning.length;
        }
        int from = 0;
        for (int at = text.indexOf(SpecialTokens.BREAK); at >= 0 && count <= limit; at = text
                .indexOf(SpecialTokens.BREAK, from)) {
            count += encode(text.substring(from, at), tokens);
            from = at + 1;
        }
        if (count <= limit) {
            encode(text.substring(from), tokens);
        }
        return tokens.build().toArray();
    }

    private int encode(String text, IntStream.Builder tokens) {
        long[] ids = tokenizer.encode(text, false, false).getIds();
        for (long token : ids) {
            tokens.add(Math.toIntExact(token));
        }
        return ids.length;
    }

    /** The text of tokens; special ones have none. A character whose bytes are not all there is U+FFFD. */
    public String decode(int[] tokens) {
        return tokenizer.decode(Arrays.stream(tokens).asLongStream().toArray(), true);
    }

    /** Whether an answer is over when this token comes. */
    public boolean endsAnswer(int token) {
        return special.ends(token);
    }

    SpecialTokens special() {
        return special;
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
