package io.kvbm.sample.engine;

import java.util.Arrays;
import java.util.Random;

import io.kvbm.KvSequence;
import io.kvbm.sample.model.DecoderCall;

/**
 * What it costs to compute a page that generation has filled once more as a page, so that it can be registered: tokens
 * per second of the same generation with and without, in turn. See {@code docs/performance.md}.
 */
final class RecomputeCostMain {

    private static final int RUNS = 7;
    private static final int TOKENS = 256;

    private RecomputeCostMain() {}

    public static void main(String[] arguments) {
        double[] with = new double[RUNS];
        double[] without = new double[RUNS];
        try (EngineFixture fixture = new EngineFixture(256)) {
            int[] prompt = new Random(1).ints(64, 300, 1000).toArray();
            for (int run = -2; run < RUNS; run++) { // the first two are for the JVM
                double one = tokensPerSecond(fixture, prompt, true);
                double other = tokensPerSecond(fixture, prompt, false);
                if (run >= 0) {
                    with[run] = one;
                    without[run] = other;
                }
            }
        }
        Arrays.sort(with);
        Arrays.sort(without);
        System.out.printf("tokens per second, median of %d: recomputed %.0f, not recomputed %.0f, ratio %.3f%n", RUNS,
                with[RUNS / 2], without[RUNS / 2], with[RUNS / 2] / without[RUNS / 2]);
    }

    private static double tokensPerSecond(EngineFixture fixture, int[] prompt, boolean recompute) {
        fixture.manager.host().orElseThrow().clear();
        int[] tokens = Arrays.copyOf(prompt, prompt.length + TOKENS);
        int page = EngineFixture.PAGE;
        try (KvSequence sequence = fixture.manager.open(prompt, "");
                DecoderCall call = new DecoderCall(fixture.decoder, page, tokens.length)) {
            int next = 0;
            for (int from = 0; from < prompt.length; from += page) {
                next = call.run(tokens, from, from + page, sequence.blocks()).mostLikely();
                sequence.computed(from + page);
            }
            long start = System.nanoTime();
            for (int length = prompt.length; length < tokens.length;) {
                tokens[length++] = next;
                sequence.append(next);
                int from = recompute && length % page == 0 ? length - page : length - 1;
                next = call.run(tokens, from, length, sequence.blocks()).mostLikely();
                sequence.computed(length);
            }
            return TOKENS * 1e9 / (System.nanoTime() - start);
        }
    }
}
