package io.kvbm.sample.web;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

import io.kvbm.sample.engine.CompletionEngine;
import io.kvbm.sample.engine.Generation;
import io.kvbm.sample.engine.GenerationRequest;

/**
 * Writes an answer, whole or as a stream of server-sent events. A client that goes away in the middle of a stream is
 * noticed when the next piece is written, and its generation ends.
 */
@Component
class Answering {

    private static final Logger log = LoggerFactory.getLogger(Answering.class);

    private final CompletionEngine engine;
    private final JsonMapper json;

    Answering(CompletionEngine engine, JsonMapper json) {
        this.engine = engine;
        this.json = json;
    }

    /** The answer's body; null where it went into the response as a stream. */
    @Nullable
    ResponseEntity<Object> answer(AnswerRequest asked, GenerationRequest request, AnswerForm form,
            HttpServletResponse response) throws InterruptedException {
        if (!asked.streams()) {
            return ResponseEntity.ok(form.whole(engine.complete(request)));
        }
        try (Generation generation = engine.start(request)) {
            // what fails before the first piece still has a status of its own
            String piece = generation.next();
            response.setContentType(MediaType.TEXT_EVENT_STREAM_VALUE);
            response.setCharacterEncoding(StandardCharsets.UTF_8);
            response.setHeader(HttpHeaders.CACHE_CONTROL, "no-cache");
            write(generation, piece, asked.streamsUsage(), form, response.getOutputStream());
        } catch (IOException e) {
            log.debug("A client went away before its answer was over", e);
        }
        return null;
    }

    private void write(Generation generation, @Nullable String first, boolean usage, AnswerForm form,
            ServletOutputStream stream) throws IOException, InterruptedException {
        for (Object event : form.beginning()) {
            send(stream, json.writeValueAsString(event));
        }
        try {
            for (String piece = first; piece != null; piece = generation.next()) {
                send(stream, json.writeValueAsString(form.piece(piece)));
            }
        } catch (RuntimeException e) {
            send(stream, json.writeValueAsString(CompletionErrors.body(e)));
            return;
        }
        send(stream, json.writeValueAsString(form.end(generation.completion())));
        if (usage) {
            send(stream, json.writeValueAsString(form.usage(generation.completion())));
        }
        send(stream, "[DONE]");
    }

    private static void send(ServletOutputStream stream, String data) throws IOException {
        stream.write(("data: " + data + "\n\n").getBytes(StandardCharsets.UTF_8));
        stream.flush();
    }
}
