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
                new PromptTokensDetails(completion.cachedTokens()));
    }

    /** {@code cached_tokens}: tokens of the prompt whose K/V was not computed. */
    record PromptTokensDetails(@JsonProperty("cached_tokens") int cachedTokens) {}
}
