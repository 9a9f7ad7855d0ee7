package io.kvbm.remote;

import java.util.Objects;

import org.jspecify.annotations.Nullable;

/**
 * Where one block is believed to lie: some of its holders, at most as many as there is room for. It is filled by
 * {@link PeerIndex#candidates} and may be used again and again. One thread at a time.
 */
public final class PeerCandidates {

    private final @Nullable Holder[] holders;
    private final int[] slots;
    private final long[] generations;
    private int size;

    /** Who has the block and may be proposed. */
    long[] left = new long[1];

    /** Room for so many candidates. */
    public PeerCandidates(int limit) {
        this.holders = new Holder[limit];
        this.slots = new int[limit];
        this.generations = new long[limit];
    }

    /** The number of candidates. */
    public int size() {
        return size;
    }

    /** Who holds the block. */
    public Holder holder(int i) {
        return Objects.requireNonNull(holders[Objects.checkIndex(i, size)]);
    }

    /** The slot of the block at that holder. */
    public int slot(int i) {
        return slots[Objects.checkIndex(i, size)];
    }

    /** The generation of that slot under which the block was registered. */
    public long generation(int i) {
        return generations[Objects.checkIndex(i, size)];
    }

    boolean isFull() {
        return size == slots.length;
    }

    void clear(int words) {
        size = 0;
        if (left.length < words) {
            left = new long[words];
        }
    }

    void add(Holder holder, int slot, long generation) {
        holders[size] = holder;
        slots[size] = slot;
        generations[size] = generation;
        size++;
    }
}
