package io.kvbm.sample.engine;

/**
 * What was generated for a prompt.
 *
 * @param text the answer
 * @param promptTokens tokens of the prompt
 * @param cachedTokens those of them whose K/V was found in the cache and not computed
 * @param peerTokens those of the cached ones, the last ones, that came from other instances
 * @param blockTokens tokens of a cache block
 * @param completionTokens tokens that were generated
 * @param finish why it ended
 */
public record Completion(String text, int promptTokens, int cachedTokens, int peerTokens, int blockTokens,
        int completionTokens, FinishReason finish) {

    /** Why an answer ended. */
    public enum FinishReason {
        /** The model ended it, or a stop text came. */
        STOP,
        /** As many tokens as were asked for. */
        LENGTH
    }
}
