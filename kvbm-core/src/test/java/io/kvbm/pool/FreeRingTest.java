package io.kvbm.pool;

import java.util.ArrayDeque;
import java.util.Random;

import org.junit.jupiter.api.Test;

import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

class FreeRingTest {

    @Test
    void firstFreedIsFirstTaken() {
        Random random = RandomCase.random("FreeRingTest.firstFreedIsFirstTaken");
        FreeRing ring = new FreeRing(5);
        ArrayDeque<Integer> model = new ArrayDeque<>();
        for (int step = 0; step < 10_000; step++) {
            if (random.nextBoolean() && model.size() < 5) {
                ring.add(step);
                model.add(step);
            } else {
                Integer expected = model.poll();
                assertThat(ring.poll()).isEqualTo(expected == null ? ReuseOrder.NONE : expected);
            }
            assertThat(ring.size()).isEqualTo(model.size());
        }
    }

    @Test
    void slotThatIsFreedTwiceIsNoticedWhenTheRingIsFull() {
        FreeRing ring = new FreeRing(1);
        ring.add(0);
        assertThatIllegalStateException().isThrownBy(() -> ring.add(0));
    }
}
