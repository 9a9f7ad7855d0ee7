package io.kvbm.remote;

import io.kvbm.block.SlotBoardView;
import io.kvbm.token.IdentityChain;

/** Which slots a reader reads, and what it has to find in them for the bytes to be of use. */
sealed interface Wanted {

    /** The number of slots. */
    int size();

    /** The index of a slot at its owner. */
    int slot(int i);

    /** Whether the slot holds what is wanted, {@link ReadOutcome#TAKEN}, or why not. */
    ReadOutcome look(SlotBoardView board, int i);

    /** The generation of the content, by which a checksum is found; -1 where it is not known. */
    default long generation(@SuppressWarnings("unused") int i) {
        return -1;
    }

    /**
     * Consecutive blocks of a sequence.
     *
     * @param slots where they are believed to lie, at least as many
     * @param generations of what content
     * @param size how many
     * @param chain the sequence
     * @param from its block that the first slot is to hold
     */
    @SuppressWarnings("ArrayRecordComponent") // lives as long as one read
    record Sequence(int[] slots, long[] generations, int size, IdentityChain chain, int from) implements Wanted {

        @Override
        public int slot(int i) {
            return slots[i];
        }

        @Override
        public long generation(int i) {
            return generations[i];
        }

        @Override
        public ReadOutcome look(SlotBoardView board, int i) {
            if (!board.holds(slots[i], generations[i])) {
                return ReadOutcome.STALE;
            }
            if (board.isNamed(slots[i], chain, from + i)) {
                return ReadOutcome.TAKEN;
            }
            SlotBoardView.fence();
            return board.holds(slots[i], generations[i]) ? ReadOutcome.FOREIGN : ReadOutcome.STALE;
        }
    }

    /**
     * Registered content that is known by its generations.
     *
     * @param slots the slots
     * @param generations of what content
     */
    @SuppressWarnings("ArrayRecordComponent") // lives as long as one read
    record Generations(int[] slots, long[] generations) implements Wanted {

        @Override
        public int size() {
            return slots.length;
        }

        @Override
        public int slot(int i) {
            return slots[i];
        }

        @Override
        public long generation(int i) {
            return generations[i];
        }

        @Override
        public ReadOutcome look(SlotBoardView board, int i) {
            return board.holds(slots[i], generations[i]) ? ReadOutcome.TAKEN : ReadOutcome.STALE;
        }
    }

    /**
     * Content that its owner lends until it is told of the end of the read.
     *
     * @param slots the slots
     * @param loans the number under which each is lent
     */
    @SuppressWarnings("ArrayRecordComponent") // lives as long as one read
    record Lent(int[] slots, long[] loans) implements Wanted {

        @Override
        public int size() {
            return slots.length;
        }

        @Override
        public int slot(int i) {
            return slots[i];
        }

        @Override
        public ReadOutcome look(SlotBoardView board, int i) {
            return board.isLent(slots[i], loans[i]) ? ReadOutcome.TAKEN : ReadOutcome.STALE;
        }
    }

    /**
     * Whatever the slots hold; who asks for it knows by other means what it is.
     *
     * @param slots the slots
     */
    @SuppressWarnings("ArrayRecordComponent") // lives as long as one read
    record Anything(int[] slots) implements Wanted {

        @Override
        public int size() {
            return slots.length;
        }

        @Override
        public int slot(int i) {
            return slots[i];
        }

        @Override
        public ReadOutcome look(SlotBoardView board, int i) {
            return ReadOutcome.TAKEN;
        }
    }
}
