package io.kvbm.simulation;

import java.util.SplittableRandom;

/**
 * How often what goes wrong, of 1.
 *
 * @param lost questions or answers that never arrive
 * @param late questions that arrive when nobody waits for the answer any more
 * @param twice questions that arrive a second time
 * @param stale answers of the catalog that were true earlier
 * @param empty answers of the catalog that list nobody
 */
record Faults(double lost, double late, double twice, double stale, double empty) {

    static final Faults NONE = new Faults(0, 0, 0, 0, 0);

    static Faults random(SplittableRandom random) {
        return new Faults(random.nextDouble(0.3), random.nextDouble(0.1), random.nextDouble(0.5),
                random.nextDouble(0.3), random.nextDouble(0.2));
    }
}
