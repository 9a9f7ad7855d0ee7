package io.kvbm.sample;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;

import io.kvbm.KvBlockManager;
import io.kvbm.sample.engine.CompletionEngine;
import io.kvbm.sample.engine.EngineLimits;
import io.kvbm.sample.model.ChatTemplate;
import io.kvbm.sample.model.Decoder;
import io.kvbm.sample.model.ModelFiles;
import io.kvbm.sample.model.TextTokenizer;
import io.kvbm.token.ModelIdentity;

/** An inference service that computes the K/V of every prefix once. */
@SpringBootApplication(proxyBeanMethods = false)
@EnableConfigurationProperties(SampleProperties.class)
public class SampleApplication {

    /** Starts the service. */
    public static void main(String[] args) {
        // DJL reports its use to its makers unless told not to
        System.setProperty("OPT_OUT_TRACKING", "true");
        SpringApplication.run(SampleApplication.class, args);
    }

    @Bean
    ModelFiles modelFiles(SampleProperties properties) {
        return ModelFiles.at(properties.modelPath());
    }

    @Bean
    Decoder decoder(ModelFiles files, SampleProperties properties) {
        return new Decoder(files, properties.provider());
    }

    /** The model's geometry and name, from which the starter makes the block manager. */
    @Bean
    ModelIdentity modelIdentity(Decoder decoder, SampleProperties properties) {
        return decoder.config().identity(properties.pageSize());
    }

    @Bean
    TextTokenizer textTokenizer(ModelFiles files) {
        return new TextTokenizer(files);
    }

    @Bean
    ChatTemplate chatTemplate(ModelFiles files, TextTokenizer tokenizer) {
        return new ChatTemplate(files, tokenizer);
    }

    @Bean
    CompletionEngine completionEngine(KvBlockManager manager, Decoder decoder, TextTokenizer tokenizer,
            SampleProperties properties) {
        return new CompletionEngine(manager, decoder, tokenizer, new EngineLimits(properties.patience(),
                properties.parallelism(), properties.maxWaiting(), properties.maxPromptCharacters()));
    }
}
