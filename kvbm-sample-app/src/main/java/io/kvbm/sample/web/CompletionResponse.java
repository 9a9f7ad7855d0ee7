package io.kvbm.sample.web;

import java.util.List;
import java.util.Locale;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

import io.kvbm.sample.engine.Completion;

/** OpenAI's completion response. */
record CompletionResponse(String id, String object, long created, String model, List<Choice> choices, Usage usage) {

    static CompletionResponse of(String id, long created, String model, Completion completion) {
        Usage usage = new Usage(completion.promptTokens(), completion.completionTokens(),
                completion.promptTokens() + completion.completionTokens(),
                new PromptTokensDetails(completion.cachedTokens()));
        Choice choice = new Choice(completion.text(), 0, null, completion.finish().name().toLowerCase(Locale.ROOT));
        return new CompletionResponse(id, "text_completion", created, model, List.of(choice), usage);
    }

    @JsonInclude(JsonInclude.Include.ALWAYS)
    record Choice(String text, int index, @Nullable Object logprobs,
            @JsonProperty("finish_reason") String finishReason) {}

    record Usage(@JsonProperty("prompt_tokens") int promptTokens,
            @JsonProperty("completion_tokens") int completionTokens, @JsonProperty("total_tokens") int totalTokens,
            @JsonProperty("prompt_tokens_details") PromptTokensDetails promptTokensDetails) {}

    /** {@code cached_tokens}: tokens of the prompt whose K/V was not computed. */
    record PromptTokensDetails(@JsonProperty("cached_tokens") int cachedTokens) {}
}
