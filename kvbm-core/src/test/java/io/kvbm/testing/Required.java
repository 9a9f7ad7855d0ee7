package io.kvbm.testing;

import java.util.Arrays;

/** What {@code KVBM_REQUIRE} names: parts that have to be there, so that tests that need a missing one fail. */
public final class Required {

    private Required() {}

    /** Whether tests that need this part run wherever it is or not. */
    public static boolean names(String part) {
        return Arrays.asList(System.getenv().getOrDefault("KVBM_REQUIRE", "").split(",", -1)).contains(part);
    }
}
