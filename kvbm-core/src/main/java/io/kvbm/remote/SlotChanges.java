package io.kvbm.remote;

import java.util.Arrays;

/** What happened to slots of one holder, in order. It is filled, applied and emptied again; one thread at a time. */
final class SlotChanges {

    /** The generation that stands for a slot without a block. */
    static final long EMPTY = -1;

    private int[] slots = new int[64];
    private long[] generations = new long[64];
    private long[] identities = new long[64];
    private int size;

    void stored(int slot, long generation, long identity) {
        if (size == slots.length) {
            slots = Arrays.copyOf(slots, 2 * size);
            generations = Arrays.copyOf(generations, 2 * size);
            identities = Arrays.copyOf(identities, 2 * size);
        }
        slots[size] = slot;
        generations[size] = generation;
        identities[size] = identity;
        size++;
    }

    void removed(int slot) {
        stored(slot, EMPTY, 0);
    }

    int size() {
        return size;
    }

    int slot(int i) {
        return slots[i];
    }

    long generation(int i) {
        return generations[i];
    }

    long identity(int i) {
        return identities[i];
    }

    void clear() {
        size = 0;
    }
}
