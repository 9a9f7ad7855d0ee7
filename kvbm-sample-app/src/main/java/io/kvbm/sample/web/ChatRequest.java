package io.kvbm.sample.web;

import java.util.List;
import java.util.OptionalInt;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

import io.kvbm.sample.model.ChatMessage;

/**
 * OpenAI's chat request.
 *
 * @param messages the turns so far
 * @param maxTokens the older name of {@code maxCompletionTokens}
 * @param maxCompletionTokens the most tokens to generate; 256 or what the context leaves where absent
 * @param tools what the model may call; nothing
 */
@JsonIgnoreProperties(ignoreUnknown = true)
record ChatRequest(@Nullable String model, @Nullable List<Message> messages,
        @JsonProperty("max_tokens") @Nullable Integer maxTokens,
        @JsonProperty("max_completion_tokens") @Nullable Integer maxCompletionTokens, @Nullable Double temperature,
        @JsonProperty("top_p") @Nullable Double topP, @Nullable Long seed, @Nullable Integer n,
        @Nullable Boolean stream, @JsonProperty("stream_options") @Nullable StreamOptions streamOptions,
        @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY) @Nullable List<String> stop,
        @Nullable List<JsonNode> tools)
        implements
            AnswerRequest {

    /**
     * A turn.
     *
     * @param content its text, or a list of parts of text
     */
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Message(@Nullable String role, @Nullable JsonNode content) {

        private ChatMessage required() {
            if (role == null || content == null) {
                throw new BadRequestException("messages", "A message has no role or no content; give both");
            }
            return new ChatMessage(role, text(content));
        }

        private static String text(JsonNode content) {
            if (content.isString()) {
                return content.stringValue();
            }
            StringBuilder text = new StringBuilder();
            for (JsonNode part : content.values()) {
                if (!part.path("text").isString()) {
                    throw notText();
                }
                text.append(part.path("text").stringValue());
            }
            if (!content.isArray()) {
                throw notText();
            }
            return text.toString();
        }

        private static BadRequestException notText() {
            return new BadRequestException("messages", "A message's content is neither a text nor a list of parts"
                    + " of type text; only text is served");
        }
    }

    List<ChatMessage> requiredMessages() {
        if (messages == null || messages.isEmpty()) {
            throw new BadRequestException("messages", "messages is missing or empty; give at least one");
        }
        if (tools != null && !tools.isEmpty()) {
            throw new BadRequestException("tools", "tools has " + tools.size() + " entries; none is served");
        }
        return messages.stream().map(Message::required).toList();
    }

    OptionalInt tokens() {
        if (maxCompletionTokens != null) {
            return OptionalInt.of(AnswerRequest.positive("max_completion_tokens", maxCompletionTokens));
        }
        return maxTokens == null ? OptionalInt.empty()
                : OptionalInt.of(AnswerRequest.positive("max_tokens", maxTokens));
    }
}
