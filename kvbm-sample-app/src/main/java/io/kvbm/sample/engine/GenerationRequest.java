package io.kvbm.sample.engine;

import java.util.List;
import java.util.OptionalInt;

import io.kvbm.sample.model.Prompt;

/**
 * What is to be generated.
 *
 * @param prompt the text to go on from
 * @param maxTokens the most tokens to generate; where empty, as many as a usual answer has and the context leaves
 * @param stops texts that end the answer and are not part of it
 * @param sampling how each token is chosen
 * @param tenant whose cache is used
 */
public record GenerationRequest(Prompt prompt, OptionalInt maxTokens, List<String> stops, Sampling sampling,
        String tenant) {}
