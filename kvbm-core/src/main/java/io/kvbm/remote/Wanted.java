package io.kvbm.remote;

import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;

import io.kvbm.block.SlotBoardView;
import io.kvbm.token.IdentityChain;

/** Which slots a reader reads, and what it has to find in them for the bytes to be of use. */
sealed interface Wanted {

    /** The number of slots. */
    int size();

    /** The slots, of which the first ones are wanted. */
    int[] slots();

    /**
     * Looks at slots before they are copied.
     *
     * @return the first place from {@code from} on, below {@code to}, whose slot does not hold what is wanted; {@code to}
     *         where all do
     */
    int look(SlotBoardView board, int from, int to);

    /** Looks again after slots were copied that held what is wanted before; returns as {@link #look}. */
    int lookAgain(SlotBoardView board, int from, int to);

    /** What to ask the owner for that is to hold the blocks; empty where it cannot know. */
    default Optional<PeerRequest.Lease> lease(@SuppressWarnings("unused") long asker,
            @SuppressWarnings("unused") long epoch, @SuppressWarnings("unused") int set,
            @SuppressWarnings("unused") Duration time) {
        return Optional.empty();
    }

    /** Why the slot does not hold what is wanted. */
    default ReadOutcome miss(@SuppressWarnings("unused") SlotBoardView board, @SuppressWarnings("unused") int i) {
        return ReadOutcome.STALE;
    }

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
        public long generation(int i) {
            return generations[i];
        }

        @Override
        public Optional<PeerRequest.Lease> lease(long asker, long epoch, int set, Duration time) {
            int words = chain.words();
            long[] names = new long[size * words];
            for (int i = 0; i < names.length; i++) {
                names[i] = chain.word(from + i / words, i % words);
            }
            return Optional.of(new PeerRequest.Lease(asker, epoch, set, Arrays.copyOf(slots, size),
                    Arrays.copyOf(generations, size), names, time));
        }

        @Override
        public int look(SlotBoardView board, int first, int to) {
            int held = board.holding(slots, generations, first, to);
            for (int i = first; i < held; i++) {
                if (!board.isNamed(slots[i], chain, from + i)) {
                    return i;
                }
            }
            return held;
        }

        /** The name is that of the generation, and was read between the two looks at it. */
        @Override
        public int lookAgain(SlotBoardView board, int first, int to) {
            return board.holding(slots, generations, first, to);
        }

        /** A name that does not fit may be that of the next generation. */
        @Override
        public ReadOutcome miss(SlotBoardView board, int i) {
            boolean foreign = board.holds(slots[i], generations[i]) && !board.isNamed(slots[i], chain, from + i);
            SlotBoardView.fence();
            return foreign && board.holds(slots[i], generations[i]) ? ReadOutcome.FOREIGN : ReadOutcome.STALE;
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
        public long generation(int i) {
            return generations[i];
        }

        @Override
        public Optional<PeerRequest.Lease> lease(long asker, long epoch, int set, Duration time) {
            return Optional.of(new PeerRequest.Lease(asker, epoch, set, slots, generations, time));
        }

        @Override
        public int look(SlotBoardView board, int from, int to) {
            return board.holding(slots, generations, from, to);
        }

        @Override
        public int lookAgain(SlotBoardView board, int from, int to) {
            return look(board, from, to);
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
        public int look(SlotBoardView board, int from, int to) {
            return board.lent(slots, loans, from, to);
        }

        @Override
        public int lookAgain(SlotBoardView board, int from, int to) {
            return look(board, from, to);
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
        public int look(SlotBoardView board, int from, int to) {
            return to;
        }

        @Override
        public int lookAgain(SlotBoardView board, int from, int to) {
            return to;
        }
    }
}
