package io.kvbm.simulation;

import java.util.stream.LongStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.testing.RandomCase;

import static io.kvbm.testing.RandomCase.cases;
import static org.assertj.core.api.Assertions.assertThat;

/** Many clusters, each from a seed of its own. {@code KVBM_SEED} is the first one, so that it repeats a failure. */
@EnabledOnOs(OS.LINUX)
class SimulationTest {

    @Test
    void noSeedHasAViolation() {
        long first = RandomCase.seed("SimulationTest");
        int seeds = cases(2500);
        Totals totals;
        try (Quiet _ = new Quiet()) {
            totals = LongStream.range(first, first + seeds)
                    .parallel() // each in one thread, and alone in its world
                    .mapToObj(Simulation::run)
                    .collect(Totals::new, Totals::add, Totals::add);
        }
        String found = seeds + " seeds, 0 violations; " + totals;
        System.out.println("SimulationTest: " + found);
        assertThat(totals.leastOfAny()).as(found).isPositive();
    }

    @Test
    void oneSeedIsOneHistory() {
        long first = RandomCase.seed("SimulationTest.history");
        try (Quiet _ = new Quiet()) {
            for (int i = 0; i < 10; i++) {
                assertThat(Simulation.hash(first + i)).as("seed %d", first + i).isEqualTo(Simulation.hash(first + i));
            }
            assertThat(Simulation.hash(first)).isNotEqualTo(Simulation.hash(first + 1));
        }
    }
}
