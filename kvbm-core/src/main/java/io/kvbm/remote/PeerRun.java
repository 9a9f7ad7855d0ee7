package io.kvbm.remote;

import java.util.Arrays;
import java.util.NoSuchElementException;
import java.util.Objects;

import org.jspecify.annotations.Nullable;

/**
 * Consecutive blocks of a sequence that one holder is believed to have, and where. It is filled by
 * {@link PeerIndex#prefix} and may be used again and again; nothing is allocated but room for a run longer than any
 * before. One thread at a time.
 */
public final class PeerRun {

    private int[] slots;
    private long[] generations;
    private int length;
    private @Nullable Holder holder;

    /** Who of those that hold all blocks so far is left, and is after the next block. */
    long[] left = new long[1];
    long[] next = new long[1];

    /** A run that has room for so many blocks at first. */
    public PeerRun(int blocks) {
        this.slots = new int[blocks];
        this.generations = new long[blocks];
    }

    /** The number of blocks. */
    public int length() {
        return length;
    }

    /**
     * Who holds the blocks.
     *
     * @throws NoSuchElementException where the run is empty
     */
    public Holder holder() {
        if (holder == null) {
            throw new NoSuchElementException("The run is empty; ask for its length first");
        }
        return holder;
    }

    /** The slot of the run's i-th block. */
    public int slot(int i) {
        return slots[Objects.checkIndex(i, length)];
    }

    /** The generation of the i-th block's slot under which the block was registered. */
    public long generation(int i) {
        return generations[Objects.checkIndex(i, length)];
    }

    /** Copies the slots to the start of an array. */
    public void copySlots(int[] to) {
        System.arraycopy(slots, 0, to, 0, length);
    }

    /** Copies the generations to the start of an array. */
    public void copyGenerations(long[] to) {
        System.arraycopy(generations, 0, to, 0, length);
    }

    void clear(int words) {
        length = 0;
        holder = null;
        if (left.length < words) {
            left = new long[words];
            next = new long[words];
        }
    }

    void start(Holder of) {
        holder = of;
    }

    void add(int slot, long generation) {
        if (length == slots.length) {
            int room = Math.max(16, 2 * length);
            slots = Arrays.copyOf(slots, room);
            generations = Arrays.copyOf(generations, room);
        }
        slots[length] = slot;
        generations[length] = generation;
        length++;
    }

    @Override
    public String toString() {
        return length + " blocks of " + holder;
    }
}
