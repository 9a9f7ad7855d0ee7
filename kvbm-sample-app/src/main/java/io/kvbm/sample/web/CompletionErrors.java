package io.kvbm.sample.web;

import java.util.Locale;

import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.http.converter.HttpMessageNotReadableException;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import tools.jackson.core.exc.StreamConstraintsException;

import io.kvbm.error.KvbmException;
import io.kvbm.sample.engine.RefusedException;

/** What went wrong, in OpenAI's error body. */
@RestControllerAdvice
class CompletionErrors {

    private static final String INVALID = "invalid_request_error";

    @ExceptionHandler
    ResponseEntity<ErrorResponse> badField(BadRequestException e) {
        return ResponseEntity.badRequest().body(ErrorResponse.of(e.getMessage(), INVALID, e.field(), null));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> notJson(HttpMessageNotReadableException e) {
        if (e.getMostSpecificCause() instanceof StreamConstraintsException tooMuch) {
            return ResponseEntity.status(HttpStatus.CONTENT_TOO_LARGE)
                    .body(ErrorResponse.of("The body is too large: " + tooMuch.getOriginalMessage(), INVALID, null,
                            "request_too_large"));
        }
        String cause = e.getMostSpecificCause().getMessage();
        String firstLine = cause == null ? "it is not readable" : cause.lines().findFirst().orElse("");
        return ResponseEntity.badRequest()
                .body(ErrorResponse
                        .of("The body is not a completion request in JSON: " + firstLine, INVALID, null,
                                "invalid_json"));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> refused(RefusedException e) {
        String code = e.reason().name().toLowerCase(Locale.ROOT);
        if (e.reason() == RefusedException.Reason.TOO_MANY_REQUESTS) {
            return ResponseEntity.status(HttpStatus.TOO_MANY_REQUESTS)
                    .header(HttpHeaders.RETRY_AFTER, "1")
                    .body(ErrorResponse.of(e.getMessage(), "rate_limit_error", null, code));
        }
        if (e.reason() == RefusedException.Reason.OVERLOADED) {
            return ResponseEntity.status(HttpStatus.SERVICE_UNAVAILABLE)
                    .header(HttpHeaders.RETRY_AFTER, "1")
                    .body(ErrorResponse.of(e.getMessage(), "server_error", null, code));
        }
        return ResponseEntity.badRequest().body(ErrorResponse.of(e.getMessage(), INVALID, "prompt", code));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> cacheFailed(KvbmException e) {
        return ResponseEntity.status(HttpStatus.SERVICE_UNAVAILABLE)
                .body(ErrorResponse.of(e.getMessage(), "server_error", null, null));
    }
}
