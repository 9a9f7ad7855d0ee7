package io.kvbm.remote;

/**
 * Which slots of one holder have a registered block, of which identity and generation, and where each identity lies: an
 * open-addressed table like that of a pool, at most three quarters full. Two slots may have the same first word of an
 * identity; a lookup gives one of them.
 *
 * <p>
 * One thread writes at a time. A lookup that runs into a write ends and stays within the arrays, but its answer is worth
 * nothing.
 */
final class HeldSlots {

    static final int NONE = -1;

    /** The number that stands for this holder in the sets of a {@link HolderTable}. */
    final int number;

    final Holder holder;

    /** Of each slot the identity and, behind it, the generation plus one; 0 where it has no block. */
    private final long[] content;

    /** The upper half of an identity's salted first word beside the slot plus one. */
    private final long[] entries;
    private final long salt;
    private final int mask;
    private final int shift;
    private int size;

    HeldSlots(int number, Holder holder, int slots, long salt) {
        this.number = number;
        this.holder = holder;
        this.content = new long[Math.multiplyExact(2, slots)];
        int capacity = HolderTable.capacity(slots);
        this.entries = new long[capacity];
        this.salt = salt;
        this.mask = capacity - 1;
        this.shift = Long.SIZE - Integer.numberOfTrailingZeros(capacity);
    }

    /** The number of slots. */
    int slots() {
        return content.length / 2;
    }

    /** The number of slots that have a block. */
    int size() {
        return size;
    }

    long bytes() {
        return (long) (content.length + entries.length) * Long.BYTES;
    }

    /** A slot with a block of this identity, or {@link #NONE}. */
    int find(long identity) {
        long hash = identity * salt;
        long tag = hash >>> 32;
        int at = (int) (hash >>> shift);
        for (int n = 0; n <= mask; n++) {
            long entry = entries[at];
            if (entry == 0) {
                return NONE;
            }
            if (entry >>> 32 == tag && content[2 * slot(entry)] == identity) {
                return slot(entry);
            }
            at = (at + 1) & mask;
        }
        return NONE;
    }

    boolean isHeld(int slot) {
        return content[2 * slot + 1] != 0;
    }

    long identity(int slot) {
        return content[2 * slot];
    }

    long generation(int slot) {
        return content[2 * slot + 1] - 1;
    }

    /** Fills a slot that has no block. */
    void add(int slot, long generation, long identity) {
        content[2 * slot] = identity;
        content[2 * slot + 1] = generation + 1;
        long hash = identity * salt;
        int at = (int) (hash >>> shift);
        while (entries[at] != 0) {
            at = (at + 1) & mask;
        }
        entries[at] = (hash >>> 32 << 32) | (slot + 1);
        size++;
    }

    /** The block of a slot is of a later generation, and the same otherwise. */
    void generation(int slot, long generation) {
        content[2 * slot + 1] = generation + 1;
    }

    /** Empties a slot that has a block, and closes the gap, so that later entries of the same run stay reachable. */
    void remove(int slot) {
        int hole = (int) ((content[2 * slot] * salt) >>> shift);
        while (slot(entries[hole]) != slot) {
            if (entries[hole] == 0) {
                throw new IllegalStateException("Slot " + slot + " of " + holder + " is not in its table");
            }
            hole = (hole + 1) & mask;
        }
        for (int at = (hole + 1) & mask; entries[at] != 0; at = (at + 1) & mask) {
            int home = (int) (entries[at] >>> shift);
            if (((at - home) & mask) >= ((at - hole) & mask)) {
                entries[hole] = entries[at];
                hole = at;
            }
        }
        entries[hole] = 0;
        content[2 * slot] = 0;
        content[2 * slot + 1] = 0;
        size--;
    }

    private static int slot(long entry) {
        return (int) entry - 1;
    }
}
