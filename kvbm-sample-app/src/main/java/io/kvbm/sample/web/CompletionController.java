package io.kvbm.sample.web;

import java.time.InstantSource;
import java.util.UUID;

import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

import io.kvbm.sample.engine.Completion;
import io.kvbm.sample.engine.CompletionEngine;

/** {@code POST /v1/completions}. */
@RestController
class CompletionController {

    private final CompletionEngine engine;
    private final InstantSource clock = InstantSource.system();

    CompletionController(CompletionEngine engine) {
        this.engine = engine;
    }

    @PostMapping("/v1/completions")
    CompletionResponse complete(@RequestBody CompletionRequest request) throws InterruptedException {
        request.requireSupported(engine.model());
        Completion completion = engine.complete(request.requiredPrompt(), request.tokens(), request.stops(), "");
        return CompletionResponse.of("cmpl-" + UUID.randomUUID(), clock.instant().getEpochSecond(), engine.model(),
                completion);
    }
}
