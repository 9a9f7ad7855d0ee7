package io.kvbm.pool;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

class SlotMarksTest {

    @Test
    void slotIsMarkedOncePerRound() {
        SlotMarks marks = new SlotMarks(3);
        for (int round = 0; round < 5; round++) {
            marks.clear();
            assertThat(marks.add(1)).isTrue();
            assertThat(marks.add(1)).isFalse();
            assertThat(marks.add(2)).isTrue();
        }
    }

    @Test
    void marksStayTrueWhenTheRoundsHaveRunThroughAllNumbers() {
        SlotMarks marks = new SlotMarks(3, -2);
        marks.clear();
        assertThat(marks.add(0)).isTrue();
        marks.clear();
        assertThat(marks.add(0)).isTrue();
        assertThat(marks.add(1)).as("a slot that never was marked").isTrue();
        assertThat(marks.add(1)).isFalse();
    }
}
