package io.kvbm.sample;

import java.time.Duration;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

import io.kvbm.sample.model.Provider;

/**
 * Settings of the sample.
 *
 * @param modelPath folder of a model as Hugging Face Optimum exports it
 * @param provider what the decoder is computed by
 * @param pageSize tokens per cache block, 1 to 64
 * @param parallelism requests that are computed at once
 * @param patience how long a request waits for cache blocks before it is refused
 * @param maxWaiting requests that are waiting or computed at once before others are refused
 * @param maxPromptCharacters characters of a prompt, beyond which it is not even looked at
 */
@ConfigurationProperties("kvbm.sample")
record SampleProperties(@DefaultValue("classpath:/model/") String modelPath, @DefaultValue("auto") Provider provider,
        @DefaultValue("16") int pageSize, @DefaultValue("2") int parallelism, @DefaultValue("300ms") Duration patience,
        @DefaultValue("256") int maxWaiting, @DefaultValue("262144") int maxPromptCharacters) {

    private static final int MAX_PAGE_SIZE = 64;

    SampleProperties {
        require("page-size", pageSize, MAX_PAGE_SIZE);
        require("parallelism", parallelism, Integer.MAX_VALUE);
        require("max-waiting", maxWaiting, Integer.MAX_VALUE);
        require("max-prompt-characters", maxPromptCharacters, Integer.MAX_VALUE);
        if (!patience.isPositive()) {
            throw new IllegalArgumentException("kvbm.sample.patience is " + patience + "; set a time above zero");
        }
    }

    private static void require(String name, int value, int most) {
        if (value < 1 || value > most) {
            throw new IllegalArgumentException("kvbm.sample." + name + " is " + value + "; set a number from 1 "
                    + (most == Integer.MAX_VALUE ? "on" : "to " + most));
        }
    }
}
