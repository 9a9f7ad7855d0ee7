package io.kvbm.sample.web;

import java.util.Objects;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/** OpenAI's error body. */
record ErrorResponse(Detail error) {

    static ErrorResponse of(@Nullable String message, String type, @Nullable String param, @Nullable String code) {
        return new ErrorResponse(new Detail(Objects.requireNonNullElse(message, "no message"), type, param, code));
    }

    @JsonInclude(JsonInclude.Include.ALWAYS)
    record Detail(String message, String type, @Nullable String param, @Nullable String code) {}
}
