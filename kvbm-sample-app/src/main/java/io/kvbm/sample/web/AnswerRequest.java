package io.kvbm.sample.web;

import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

import io.kvbm.sample.engine.Sampling;

/**
 * What OpenAI's requests for an answer have in common. What this service does not know is ignored, what it knows and
 * cannot do is refused.
 */
interface AnswerRequest {

    int MAX_STOPS = 4;
    double MAX_TEMPERATURE = 2;

    /** The model's name; the one there is where absent. */
    @Nullable
    String model();

    /** How far from the most likely tokens the answer may go; 0 where absent. */
    @Nullable
    Double temperature();

    /** The share of likely tokens to choose among; 1. */
    @Nullable
    Double topP();

    /** What makes two answers at a temperature the same. */
    @Nullable
    Long seed();

    /** The number of answers; 1. */
    @Nullable
    Integer n();

    /** Whether the answer comes piece by piece. */
    @Nullable
    Boolean stream();

    /** What a stream has besides the answer. */
    @Nullable
    StreamOptions streamOptions();

    /** Up to four texts that end the answer. */
    @Nullable
    List<String> stop();

    /** {@code include_usage}: whether a stream ends with the tokens that were counted. */
    record StreamOptions(@JsonProperty("include_usage") @Nullable Boolean includeUsage) {}

    default boolean streams() {
        return Boolean.TRUE.equals(stream());
    }

    default boolean streamsUsage() {
        StreamOptions options = streamOptions();
        return options != null && Boolean.TRUE.equals(options.includeUsage());
    }

    default List<String> stops() {
        List<String> stop = stop();
        List<String> stops = stop == null ? List.of() : stop;
        if (stops.size() > MAX_STOPS || stops.stream().anyMatch(text -> text == null || text.isEmpty())) {
            throw new BadRequestException("stop", "stop has " + stops.size() + " texts, of which at most " + MAX_STOPS
                    + " are allowed and none may be empty");
        }
        return stops;
    }

    default Sampling sampling() {
        Double temperature = temperature();
        if (temperature == null || temperature == 0) {
            return Sampling.GREEDY;
        }
        if (!(temperature > 0 && temperature <= MAX_TEMPERATURE)) {
            throw new BadRequestException("temperature",
                    "temperature is " + temperature + "; set a number from 0 to " + MAX_TEMPERATURE);
        }
        Double topP = topP();
        if (topP != null && topP != 1) {
            throw new BadRequestException("top_p", "top_p is " + topP + "; only 1 is served");
        }
        Long seed = seed();
        return new Sampling(temperature, seed == null ? ThreadLocalRandom.current().nextLong() : seed);
    }

    default void requireSupported(String served) {
        String model = model();
        if (model != null && !model.equals(served)) {
            throw new ModelNotFoundException(model, served);
        }
        Integer n = n();
        if (n != null && n != 1) {
            throw new BadRequestException("n", "n is " + n + "; only 1 is served");
        }
    }

    static int positive(String field, int tokens) {
        if (tokens < 1) {
            throw new BadRequestException(field, field + " is " + tokens + ", below its minimum of 1");
        }
        return tokens;
    }
}
