package io.kvbm.sample.model;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;

/** Text to tokens and back. Many threads may use it at once. */
public final class TextTokenizer implements AutoCloseable {

    private static final String SPECIAL_START = "<|";
    private static final char UNFINISHED = '\uFFFD';

    private final HuggingFaceTokenizer tokenizer;

    /** The tokenizer of a model. */
    public TextTokenizer(ModelFiles files) {
        try (InputStream json = files.tokenizer()) {
            this.tokenizer = HuggingFaceTokenizer.newInstance(json,
                    Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false"));
        } catch (IOException e) {
            throw files.unreadable("tokenizer.json", e);
        }
    }

    /**
     * The tokens of a person's text. Text that spells a special token stays text, so that nobody can end somebody's
     * turn by writing so.
     *
     * @param limit how many tokens are of use: a text of more is not looked at to its end, and has more for sure
     */
    public int[] encode(String text, int limit) {
        IntStream.Builder tokens = IntStream.builder();
        int count = 0;
        int from = 0;
        for (int at = text.indexOf(SPECIAL_START); at >= 0 && count <= limit; at = text.indexOf(SPECIAL_START, from)) {
            count += encode(text.substring(from, at + 1), tokens);
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

    /** The text of tokens; special ones have none. A character whose last bytes are missing is left out. */
    public String decode(int[] tokens) {
        String text = tokenizer.decode(LongStream.range(0, tokens.length).map(i -> tokens[(int) i]).toArray(), true);
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == UNFINISHED) {
            end--;
        }
        return text.substring(0, end);
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
