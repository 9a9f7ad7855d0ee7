package io.kvbm.sample.engine;

import java.util.Arrays;
import java.util.List;

import io.kvbm.sample.model.TextTokenizer;

/**
 * The text of an answer while its tokens come. A token may be a part of a character, and a stop text may lie across
 * several; what may yet turn out to be such is held back.
 */
final class AnswerText {

    private static final char UNFINISHED = '\uFFFD';

    private final TextTokenizer tokenizer;
    private final List<String> stops;
    private final StringBuilder text = new StringBuilder();
    private int[] tokens = new int[16];
    private int count;
    /** Tokens from here to {@link #read} are decoded once more with those after, as what a token is depends on its left. */
    private int context;
    private int read;
    private int taken;
    private boolean stopped;

    AnswerText(TextTokenizer tokenizer, List<String> stops) {
        this.tokenizer = tokenizer;
        this.stops = stops;
    }

    void add(int token) {
        if (count == tokens.length) {
            tokens = Arrays.copyOf(tokens, 2 * count);
        }
        tokens[count++] = token;
        String piece = unread();
        if (!piece.isEmpty() && piece.charAt(piece.length() - 1) != UNFINISHED) {
            context = read;
            read = count;
            append(piece);
        }
    }

    /** No token comes any more. A character whose last bytes are missing is left out. */
    void end() {
        String piece = unread();
        int end = piece.length();
        while (end > 0 && piece.charAt(end - 1) == UNFINISHED) {
            end--;
        }
        append(piece.substring(0, end));
    }

    private String unread() {
        int known = tokenizer.decode(Arrays.copyOfRange(tokens, context, read)).length();
        String all = tokenizer.decode(Arrays.copyOfRange(tokens, context, count));
        return all.substring(Math.min(known, all.length()));
    }

    private void append(String piece) {
        if (stopped) {
            return;
        }
        int before = text.length();
        text.append(piece);
        int first = text.length();
        for (String stop : stops) {
            int at = text.indexOf(stop, Math.max(0, before - stop.length() + 1));
            if (at >= 0) {
                first = Math.min(first, at);
                stopped = true;
            }
        }
        text.setLength(first);
    }

    /** Whether a stop text came. */
    boolean stopped() {
        return stopped;
    }

    /** What is part of the answer for sure and was not taken before. */
    String take() {
        return takeTo(stopped ? text.length() : text.length() - beginningOfStop());
    }

    /** All that was not taken before. */
    String takeRest() {
        return takeTo(text.length());
    }

    private String takeTo(int end) {
        String piece = text.substring(Math.min(taken, end), end);
        taken = Math.max(taken, end);
        return piece;
    }

    private int beginningOfStop() {
        int longest = 0;
        for (String stop : stops) {
            for (int length = Math.min(stop.length() - 1, text.length()); length > longest; length--) {
                if (stop.startsWith(text.substring(text.length() - length))) {
                    longest = length;
                }
            }
        }
        return longest;
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
