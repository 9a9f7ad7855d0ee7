package io.kvbm.remote;

import java.util.Arrays;
import java.util.Objects;

import io.kvbm.pool.RegisteredSlots;
import io.kvbm.storage.CacheLevel;

/** Which blocks a stretch of slots of one level holds: slot, generation and identity of each, in order of slots. */
public final class HeldBlocks {

    private final CacheLevel level;
    private final int[] slots;
    private final long[] generations;
    private final long[] identities;

    private HeldBlocks(Builder builder) {
        this.level = builder.level;
        this.slots = Arrays.copyOf(builder.slots, builder.size);
        this.generations = Arrays.copyOf(builder.generations, builder.size);
        this.identities = Arrays.copyOf(builder.identities, builder.size);
    }

    /** Where they lie. */
    public CacheLevel level() {
        return level;
    }

    /** The number of blocks. */
    public int size() {
        return slots.length;
    }

    /** The slot of the i-th block. */
    public int slot(int i) {
        return slots[i];
    }

    /** How often the slot had left the registered state before the i-th block was registered. */
    public long generation(int i) {
        return generations[i];
    }

    /** The first 64 bits of the i-th block's identity. */
    public long identity(int i) {
        return identities[i];
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof HeldBlocks that && level == that.level && Arrays.equals(slots, that.slots)
                && Arrays.equals(generations, that.generations) && Arrays.equals(identities, that.identities);
    }

    @Override
    public int hashCode() {
        return Objects.hash(level, Arrays.hashCode(slots), Arrays.hashCode(generations), Arrays.hashCode(identities));
    }

    @Override
    public String toString() {
        return slots.length + " blocks of " + level;
    }

    /** Collects the blocks of one level; what it is given is of slots that ascend. */
    static final class Builder implements RegisteredSlots {

        private final CacheLevel level;
        private int[] slots;
        private long[] generations;
        private long[] identities;
        private int size;

        /** Has room for so many blocks at first. */
        Builder(CacheLevel level, int blocks) {
            this.level = level;
            this.slots = new int[blocks];
            this.generations = new long[blocks];
            this.identities = new long[blocks];
        }

        /**
         * The next block.
         *
         * @throws io.kvbm.error.RemoteException {@code MALFORMED} where the slot does not come after the one before, or
         *         the generation is negative
         */
        @Override
        public void onRegistered(int slot, long generation, long identity) {
            if (slot < 0 || (size > 0 && slot <= slots[size - 1])) {
                throw Refusal.malformed("Slot " + slot + " of " + level + " is listed behind "
                        + (size == 0 ? "none" : "slot " + slots[size - 1]) + "; slots are listed in ascending order");
            }
            if (generation < 0) {
                throw Refusal.malformed(
                        "Slot " + slot + " of " + level + " is of generation " + generation + "; they start at 0");
            }
            if (size == slots.length) {
                int room = Math.max(16, 2 * size);
                slots = Arrays.copyOf(slots, room);
                generations = Arrays.copyOf(generations, room);
                identities = Arrays.copyOf(identities, room);
            }
            slots[size] = slot;
            generations[size] = generation;
            identities[size] = identity;
            size++;
        }

        int size() {
            return size;
        }

        HeldBlocks build() {
            return new HeldBlocks(this);
        }
    }
}
