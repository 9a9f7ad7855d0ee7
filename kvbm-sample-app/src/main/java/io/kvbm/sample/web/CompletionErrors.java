package io.kvbm.sample.web;

import java.util.Locale;

import jakarta.servlet.ServletException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.ResponseEntity;
import org.springframework.http.converter.HttpMessageNotReadableException;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.servlet.resource.NoResourceFoundException;
import tools.jackson.core.exc.StreamConstraintsException;

import io.kvbm.error.KvbmException;
import io.kvbm.sample.engine.RefusedException;
import io.kvbm.sample.model.ChatTemplateException;

/** What went wrong, in OpenAI's error body. */
@RestControllerAdvice
class CompletionErrors {

    private static final Logger log = LoggerFactory.getLogger(CompletionErrors.class);

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
    ResponseEntity<ErrorResponse> unknownModel(ModelNotFoundException e) {
        return ResponseEntity.status(HttpStatus.NOT_FOUND)
                .body(ErrorResponse.of(e.getMessage(), INVALID, "model", "model_not_found"));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> unknownPath(NoResourceFoundException e) {
        return ResponseEntity.status(HttpStatus.NOT_FOUND)
                .body(ErrorResponse.of("There is no /" + e.getResourcePath(), INVALID, null, "unknown_url"));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> notACall(ServletException e) {
        HttpStatusCode status = e instanceof org.springframework.web.ErrorResponse known ? known.getStatusCode()
                : HttpStatus.INTERNAL_SERVER_ERROR;
        return ResponseEntity.status(status).body(ErrorResponse.of(e.getMessage(), INVALID, null, null));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> badChat(ChatTemplateException e) {
        return ResponseEntity.badRequest().body(ErrorResponse.of(e.getMessage(), INVALID, "messages", null));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> refused(RefusedException e) {
        return switch (e.reason()) {
            case TOO_MANY_REQUESTS -> later(HttpStatus.TOO_MANY_REQUESTS, e);
            case OVERLOADED -> later(HttpStatus.SERVICE_UNAVAILABLE, e);
            case EMPTY_PROMPT, CONTEXT_LENGTH_EXCEEDED, CACHE_TOO_SMALL -> ResponseEntity.badRequest().body(body(e));
        };
    }

    private static ResponseEntity<ErrorResponse> later(HttpStatus status, RefusedException e) {
        return ResponseEntity.status(status).header(HttpHeaders.RETRY_AFTER, "1").body(body(e));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> cacheFailed(KvbmException e) {
        return ResponseEntity.status(HttpStatus.SERVICE_UNAVAILABLE).body(body(e));
    }

    @ExceptionHandler
    ResponseEntity<ErrorResponse> failed(RuntimeException e) {
        log.error("A request failed", e);
        return ResponseEntity.internalServerError().body(body(e));
    }

    /** What went wrong with an answer, also in the middle of it. */
    static ErrorResponse body(RuntimeException e) {
        if (!(e instanceof RefusedException refused)) {
            return ErrorResponse.of(e.getMessage(), "server_error", null, null);
        }
        String code = refused.reason().name().toLowerCase(Locale.ROOT);
        return switch (refused.reason()) {
            case TOO_MANY_REQUESTS -> ErrorResponse.of(e.getMessage(), "rate_limit_error", null, code);
            case OVERLOADED -> ErrorResponse.of(e.getMessage(), "server_error", null, code);
            case EMPTY_PROMPT, CONTEXT_LENGTH_EXCEEDED,
                    CACHE_TOO_SMALL -> ErrorResponse.of(e.getMessage(), INVALID, "prompt", code);
        };
    }
}
