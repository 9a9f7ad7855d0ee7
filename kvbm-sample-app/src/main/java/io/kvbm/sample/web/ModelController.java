package io.kvbm.sample.web;

import java.time.Instant;
import java.util.List;

import com.fasterxml.jackson.annotation.JsonProperty;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

import io.kvbm.sample.engine.CompletionEngine;

/** {@code GET /v1/models}: the one there is. */
@RestController
class ModelController {

    private final Model served;

    ModelController(CompletionEngine engine) {
        this.served = new Model(engine.model(), "model", Instant.now().getEpochSecond(), "kvbm");
    }

    @GetMapping("/v1/models")
    Models all() {
        return new Models("list", List.of(served));
    }

    /** The name may have slashes. */
    @GetMapping("/v1/models/{*path}")
    Model one(@PathVariable String path) {
        String name = path.substring(1);
        if (!name.equals(served.id())) {
            throw new ModelNotFoundException(name, served.id());
        }
        return served;
    }

    record Models(String object, List<Model> data) {}

    record Model(String id, String object, long created, @JsonProperty("owned_by") String ownedBy) {}
}
