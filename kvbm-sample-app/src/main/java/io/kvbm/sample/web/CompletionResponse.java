package io.kvbm.sample.web;

import java.util.List;
import java.util.Locale;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

import io.kvbm.sample.engine.Completion;

/** OpenAI's completion response, and each event of its stream. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record CompletionResponse(String id, String object, long created, String model, List<Choice> choices,
        @Nullable Usage usage) {

    @JsonInclude(JsonInclude.Include.ALWAYS)
    record Choice(String text, int index, @Nullable Object logprobs,
            @JsonProperty("finish_reason") @Nullable String finishReason) {}

    /** The bodies of one answer. */
    record Form(String id, long created, String model) implements AnswerForm {

        @Override
        public Object whole(Completion completion) {
            return response(List.of(choice(completion.text(), finish(completion))), Usage.of(completion));
        }

        @Override
        public List<Object> beginning() {
            return List.of();
        }

        @Override
        public Object piece(String text) {
            return response(List.of(choice(text, null)), null);
        }

        @Override
        public Object end(Completion completion) {
            return response(List.of(choice("", finish(completion))), null);
        }

        @Override
        public Object usage(Completion completion) {
            return response(List.of(), Usage.of(completion));
        }

        private CompletionResponse response(List<Choice> choices, @Nullable Usage usage) {
            return new CompletionResponse(id, "text_completion", created, model, choices, usage);
        }

        private static Choice choice(String text, @Nullable String finish) {
            return new Choice(text, 0, null, finish);
        }

        private static String finish(Completion completion) {
            return completion.finish().name().toLowerCase(Locale.ROOT);
        }
    }
}
