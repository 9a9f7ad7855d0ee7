package io.kvbm.sample.web;

import java.time.InstantSource;
import java.util.OptionalInt;
import java.util.UUID;

import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;

import io.kvbm.sample.engine.CompletionEngine;
import io.kvbm.sample.engine.GenerationRequest;
import io.kvbm.sample.model.ChatTemplate;
import io.kvbm.sample.model.Prompt;

/** {@code POST /v1/completions} and {@code POST /v1/chat/completions}. */
@RestController
class CompletionController {

    private static final int MAX_TENANT_LENGTH = 256;

    private final CompletionEngine engine;
    private final ChatTemplate template;
    private final Answering answering;
    private final InstantSource clock = InstantSource.system();

    CompletionController(CompletionEngine engine, ChatTemplate template, Answering answering) {
        this.engine = engine;
        this.template = template;
        this.answering = answering;
    }

    @PostMapping("/v1/completions")
    @Nullable
    ResponseEntity<Object> complete(@RequestBody CompletionRequest request,
            @RequestHeader(name = "X-Tenant", defaultValue = "") String tenant, HttpServletResponse response)
            throws InterruptedException {
        request.requireSupported(engine.model());
        return answering.answer(request, new GenerationRequest(Prompt.of(request.requiredPrompt()),
                OptionalInt.of(request.tokens()), request.stops(), request.sampling(), possible(tenant)),
                new CompletionResponse.Form("cmpl-" + UUID.randomUUID(), now(), engine.model()), response);
    }

    @PostMapping("/v1/chat/completions")
    @Nullable
    ResponseEntity<Object> chat(@RequestBody ChatRequest request,
            @RequestHeader(name = "X-Tenant", defaultValue = "") String tenant, HttpServletResponse response)
            throws InterruptedException {
        request.requireSupported(engine.model());
        return answering.answer(request, new GenerationRequest(template.render(request.requiredMessages()),
                request.tokens(), request.stops(), request.sampling(), possible(tenant)),
                new ChatResponse.Form("chatcmpl-" + UUID.randomUUID(), now(), engine.model()), response);
    }

    private static String possible(String tenant) {
        if (tenant.length() > MAX_TENANT_LENGTH) {
            throw new BadRequestException("X-Tenant", "X-Tenant has " + tenant.length()
                    + " characters, over the limit of " + MAX_TENANT_LENGTH + "; shorten it");
        }
        return tenant;
    }

    private long now() {
        return clock.instant().getEpochSecond();
    }
}
