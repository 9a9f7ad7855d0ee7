package io.kvbm.sample.model;

/**
 * The text that an answer goes on from.
 *
 * @param text the text
 * @param rendered whether a chat template made it, and so wrote the special tokens itself
 */
public record Prompt(String text, boolean rendered) {

    /** A person's text. */
    public static Prompt of(String text) {
        return new Prompt(text, false);
    }
}
