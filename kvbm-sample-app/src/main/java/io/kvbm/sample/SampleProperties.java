package io.kvbm.sample;

import java.time.Duration;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.core.io.Resource;

/**
 * Settings of the sample.
 *
 * @param modelFolder folder with decoder.onnx, tokenizer.json and config.json
 * @param pageSize tokens per cache block, at most 64
 * @param parallelism requests that are computed at once
 * @param patience how long a request waits for cache blocks before it is refused
 */
@ConfigurationProperties("kvbm.sample")
record SampleProperties(@DefaultValue("classpath:/model/") Resource modelFolder, @DefaultValue("16") int pageSize,
        @DefaultValue("2") int parallelism, @DefaultValue("30s") Duration patience) {}
