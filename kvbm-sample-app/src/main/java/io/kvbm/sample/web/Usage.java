package io.kvbm.sample.web;

import com.fasterxml.jackson.annotation.JsonProperty;

import io.kvbm.sample.engine.Completion;

/** OpenAI's account of an answer. */
record Usage(@JsonProperty("prompt_tokens") int promptTokens, @JsonProperty("completion_tokens") int completionTokens,
        @JsonProperty("total_tokens") int totalTokens,
        @JsonProperty("prompt_tokens_details") PromptTokensDetails promptTokensDetails) {

    static Usage of(Completion completion) {
        return new Usage(completion.promptTokens(), completion.completionTokens(),
                completion.promptTokens() + completion.completionTokens(),
                new PromptTokensDetails(completion.cachedTokens(), completion.peerTokens(), completion.blockTokens()));
    }

    /**
     * Where the K/V of the prompt came from; only the first is OpenAI's.
     *
     * @param cachedTokens tokens of the prompt whose K/V was not computed
     * @param peerTokens those of them, the last ones, whose K/V came from other instances
     * @param blockTokens tokens of a cache block
     */
    record PromptTokensDetails(@JsonProperty("cached_tokens") int cachedTokens,
            @JsonProperty("peer_tokens") int peerTokens, @JsonProperty("block_tokens") int blockTokens) {}
}
