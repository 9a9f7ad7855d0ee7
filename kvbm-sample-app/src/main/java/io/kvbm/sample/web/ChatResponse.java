package io.kvbm.sample.web;

import java.util.List;
import java.util.Locale;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

import io.kvbm.sample.engine.Completion;

/** OpenAI's chat response, and each event of its stream. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record ChatResponse(String id, String object, long created, String model, List<Choice> choices,
        @Nullable Usage usage) {

    /** {@code message} in a response, {@code delta} in an event. */
    record Choice(int index, @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Message message,
            @JsonInclude(JsonInclude.Include.NON_NULL) @Nullable Message delta,
            @JsonInclude(JsonInclude.Include.ALWAYS) @Nullable Object logprobs,
            @JsonInclude(JsonInclude.Include.ALWAYS) @JsonProperty("finish_reason") @Nullable String finishReason) {}

    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Message(@Nullable String role, @Nullable String content) {}

    /** The bodies of one answer. */
    record Form(String id, long created, String model) implements AnswerForm {

        private static final String SPEAKER = "assistant";

        @Override
        public Object whole(Completion completion) {
            return new ChatResponse(id, "chat.completion", created, model, List.of(new Choice(0,
                    new Message(SPEAKER, completion.text()), null, null, finish(completion))),
                    Usage.of(completion));
        }

        @Override
        public List<Object> beginning() {
            return List.of(event(new Message(SPEAKER, ""), null));
        }

        @Override
        public Object piece(String text) {
            return event(new Message(null, text), null);
        }

        @Override
        public Object end(Completion completion) {
            return event(new Message(null, null), finish(completion));
        }

        @Override
        public Object usage(Completion completion) {
            return events(List.of(), Usage.of(completion));
        }

        private ChatResponse event(Message delta, @Nullable String finish) {
            return events(List.of(new Choice(0, null, delta, null, finish)), null);
        }

        private ChatResponse events(List<Choice> choices, @Nullable Usage usage) {
            return new ChatResponse(id, "chat.completion.chunk", created, model, choices, usage);
        }

        private static String finish(Completion completion) {
            return completion.finish().name().toLowerCase(Locale.ROOT);
        }
    }
}
