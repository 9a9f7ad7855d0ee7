package io.kvbm.testing;

import java.util.Random;

/** The seed and the number of cases of the random tests of the suite. */
public final class RandomCase {

    private RandomCase() {}

    /** A seed from {@code KVBM_SEED}, or a fresh one; printed, so that a failure can be repeated. */
    public static long seed(String test) {
        String given = System.getenv("KVBM_SEED");
        long seed = given == null ? new Random().nextLong() : Long.parseLong(given);
        System.out.println(test + ": KVBM_SEED=" + seed);
        return seed;
    }

    /** A source of randomness from {@code KVBM_SEED}, or a fresh seed; printed, so that a failure can be repeated. */
    public static Random random(String test) {
        return new Random(seed(test));
    }

    /** {@code base} cases times {@code KVBM_SCALE}. */
    public static int cases(int base) {
        String scale = System.getenv("KVBM_SCALE");
        return scale == null ? base : Math.multiplyExact(base, Integer.parseInt(scale));
    }

    public static int[] tokens(Random random, int count) {
        return random.ints(count).toArray();
    }
}
