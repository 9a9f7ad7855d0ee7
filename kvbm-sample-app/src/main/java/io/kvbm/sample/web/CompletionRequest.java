package io.kvbm.sample.web;

import java.util.List;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

/**
 * OpenAI's completion request, as far as this service knows it. What it does not know is ignored, what it knows and
 * cannot do is refused.
 *
 * @param model the model's name; the one there is where absent
 * @param prompt the text to go on from
 * @param maxTokens the most tokens to generate; 16 where absent
 * @param temperature 0, as answers are always the most likely ones
 * @param n the number of answers; 1
 * @param stream whether the answer comes piece by piece; it does not
 * @param stop up to four texts that end the answer
 */
@JsonIgnoreProperties(ignoreUnknown = true)
record CompletionRequest(@Nullable String model, @Nullable String prompt,
        @JsonProperty("max_tokens") @Nullable Integer maxTokens, @Nullable Double temperature, @Nullable Integer n,
        @Nullable Boolean stream,
        @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) @Nullable List<String> stop) {

    private static final int DEFAULT_MAX_TOKENS = 16;
    private static final int MAX_STOPS = 4;

    String requiredPrompt() {
        if (prompt == null) {
            throw new BadRequestException("prompt", "prompt is missing; give the text to go on from");
        }
        return prompt;
    }

    int tokens() {
        int tokens = maxTokens == null ? DEFAULT_MAX_TOKENS : maxTokens;
        if (tokens < 1) {
            throw new BadRequestException("max_tokens", "max_tokens is " + tokens + ", below its minimum of 1");
        }
        return tokens;
    }

    List<String> stops() {
        List<String> stops = stop == null ? List.of() : stop;
        if (stops.size() > MAX_STOPS || stops.stream().anyMatch(text -> text == null || text.isEmpty())) {
            throw new BadRequestException("stop", "stop has " + stops.size() + " texts, of which at most " + MAX_STOPS
                    + " are allowed and none may be empty");
        }
        return stops;
    }

    void requireSupported(String served) {
        if (model != null && !model.equals(served)) {
            throw new BadRequestException("model", "The model '" + model + "' is not here; use '" + served + "'");
        }
        if (temperature != null && temperature != 0) {
            throw new BadRequestException("temperature",
                    "temperature is " + temperature + "; only 0 is served, as answers are the most likely ones");
        }
        if (n != null && n != 1) {
            throw new BadRequestException("n", "n is " + n + "; only 1 is served");
        }
        if (Boolean.TRUE.equals(stream)) {
            throw new BadRequestException("stream", "stream is true; answers come whole");
        }
    }
}
