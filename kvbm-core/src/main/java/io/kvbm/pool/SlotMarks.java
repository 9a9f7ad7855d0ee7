package io.kvbm.pool;

import java.util.Arrays;

/** The slots that were met in one request; the next request starts without any, in one step. */
final class SlotMarks {

    private final int[] rounds;
    private int round;

    SlotMarks(int slots) {
        this(slots, 0);
    }

    SlotMarks(int slots, int round) {
        this.rounds = new int[slots];
        this.round = round;
    }

    /** Forgets all marks. */
    void clear() {
        round++;
        if (round == 0) {
            Arrays.fill(rounds, 0);
            round = 1;
        }
    }

    /** Marks a slot; false where it was marked already. */
    boolean add(int slot) {
        if (rounds[slot] == round) {
            return false;
        }
        rounds[slot] = round;
        return true;
    }
}
