package io.kvbm.sample.engine;

import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

import io.kvbm.sample.model.Logits;

/**
 * How the next token is chosen among those that are likely.
 *
 * @param temperature 0 for the most likely token; the higher, the more often another one
 * @param seed what makes the choice the same each time
 */
public record Sampling(double temperature, long seed) {

    /** Always the most likely token. */
    public static final Sampling GREEDY = new Sampling(0, 0);

    RandomGenerator random() {
        return new SplittableRandom(seed);
    }

    int choose(Logits logits, RandomGenerator random) {
        int likeliest = logits.mostLikely();
        if (temperature == 0) {
            return likeliest;
        }
        float highest = logits.of(likeliest);
        double sum = 0;
        for (int token = 0; token < logits.tokens(); token++) {
            sum += weight(logits.of(token), highest);
        }
        double left = random.nextDouble() * sum;
        for (int token = 0; token < logits.tokens(); token++) {
            left -= weight(logits.of(token), highest);
            if (left < 0) {
                return token;
            }
        }
        return likeliest;
    }

    private double weight(float logit, float highest) {
        return Math.exp((logit - highest) / temperature);
    }
}
