package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.time.Duration;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

import io.kvbm.KvBlockManager;
import io.kvbm.KvSequence;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.token.ModelIdentity;

/**
 * An application that answers prompts, for a JVM of its own; see {@link ForkedInstance}. It ends when whoever started it
 * does, however that ends.
 */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
class AnsweringApplication {

    @Bean
    ModelIdentity model(@Value("${revision:r1}") String revision) {
        return SmallCache.identity(revision);
    }

    /** Answers with the number of tokens that were found, or with what is wrong. */
    @RestController
    record Answers(KvBlockManager manager) {

        @PostMapping("/answer")
        ResponseEntity<String> answer(@RequestParam int prompt, @RequestParam int tokens) {
            try {
                return ResponseEntity
                        .ok(Integer.toString(KnownKv.answer(manager, KnownKv.prompt(prompt, tokens))));
            } catch (AssertionError | RuntimeException e) {
                return ResponseEntity.internalServerError().body(e.toString());
            }
        }
    }

    /** Holds a sequence open for a time, as an engine does that computes, and answers with the number of its tokens. */
    @RestController
    record Computations(KvBlockManager manager) {

        @PostMapping("/compute")
        int compute(@RequestParam int prompt, @RequestParam int tokens, @RequestParam Duration time)
                throws InterruptedException {
            try (KvSequence sequence = manager.open(KnownKv.prompt(prompt, tokens), "")) {
                Thread.sleep(time);
                sequence.computed(tokens);
                return tokens;
            }
        }
    }

    public static void main(String[] arguments) {
        Thread.ofPlatform().name("starter").daemon().start(AnsweringApplication::endWithStarter);
        SpringApplication.run(AnsweringApplication.class, arguments);
    }

    private static void endWithStarter() {
        try {
            while (System.in.read() >= 0) { // nothing is ever said; it ends with the process at the other end
            }
        } catch (IOException e) { // as good as an end
        }
        Runtime.getRuntime().halt(1);
    }
}
