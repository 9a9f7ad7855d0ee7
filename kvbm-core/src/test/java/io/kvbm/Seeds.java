package io.kvbm;

import java.util.Random;

/** The seed and the number of cases of random tests. */
public final class Seeds {

    private Seeds() {}

    /** A seed from {@code KVBM_SEED}, or a fresh one; printed, so that a failure can be repeated. */
    public static long seed(String test) {
        String given = System.getenv("KVBM_SEED");
        long seed = given == null ? new Random().nextLong() : Long.parseLong(given);
        System.out.println(test + ": KVBM_SEED=" + seed);
        return seed;
    }

    /** {@code base} cases times {@code KVBM_SCALE}. */
    public static int cases(int base) {
        String scale = System.getenv("KVBM_SCALE");
        return scale == null ? base : Math.multiplyExact(base, Integer.parseInt(scale));
    }
}
