package io.kvbm.sample.web;

import java.util.List;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

/**
 * OpenAI's completion request.
 *
 * @param prompt the text to go on from
 * @param maxTokens the most tokens to generate; 16 where absent
 */
@JsonIgnoreProperties(ignoreUnknown = true)
record CompletionRequest(@Nullable String model, @Nullable String prompt,
        @JsonProperty("max_tokens") @Nullable Integer maxTokens, @Nullable Double temperature,
        @JsonProperty("top_p") @Nullable Double topP, @Nullable Long seed, @Nullable Integer n,
        @Nullable Boolean stream, @JsonProperty("stream_options") @Nullable StreamOptions streamOptions,
        @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) @Nullable List<String> stop)
        implements
            AnswerRequest {

    private static final int DEFAULT_MAX_TOKENS = 16;

    String requiredPrompt() {
        if (prompt == null) {
            throw new BadRequestException("prompt", "prompt is missing; give the text to go on from");
        }
        return prompt;
    }

    int tokens() {
        return AnswerRequest.positive("max_tokens", maxTokens == null ? DEFAULT_MAX_TOKENS : maxTokens);
    }
}
