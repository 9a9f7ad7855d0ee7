package io.kvbm.pool;

import io.kvbm.token.IdentityChain;

/**
 * From identity to registered slot: one open-addressed table with linear probing, at most half full, without
 * tombstones and without an object per entry. An entry is one long, the upper half of the identity's first word beside
 * the slot plus one; the slot's full identity decides. Guarded by the pool's lock.
 */
final class IdentityTable {

    private final SlotTable slots;
    final long[] entries;
    private final int mask;
    private final int shift;
    private int size;

    IdentityTable(SlotTable slots) {
        this.slots = slots;
        int bits = Math.max(4, 33 - Integer.numberOfLeadingZeros(Math.max(1, slots.size() - 1)));
        this.entries = new long[1 << bits];
        this.mask = entries.length - 1;
        this.shift = Long.SIZE - bits;
    }

    int size() {
        return size;
    }

    /** The slot registered under this block's identity, or {@link ReuseOrder#NONE}. */
    int find(IdentityChain chain, int block) {
        long probe = chain.probe(block);
        long tag = probe >>> 32;
        for (int i = (int) (probe >>> shift); entries[i] != 0; i = (i + 1) & mask) {
            if (entries[i] >>> 32 == tag && slots.isNamed(slot(entries[i]), chain, block)) {
                return slot(entries[i]);
            }
        }
        return ReuseOrder.NONE;
    }

    /** The slot registered under this 64-bit hash, or {@link ReuseOrder#NONE}. */
    int find(long sequenceHash) {
        long tag = sequenceHash >>> 32;
        for (int i = (int) (sequenceHash >>> shift); entries[i] != 0; i = (i + 1) & mask) {
            if (entries[i] >>> 32 == tag && slots.isNamed(slot(entries[i]), sequenceHash)) {
                return slot(entries[i]);
            }
        }
        return ReuseOrder.NONE;
    }

    /** Enters a slot under the identity it was named by, which no other slot has. */
    void add(int slot) {
        long probe = slots.probe(slot);
        int i = (int) (probe >>> shift);
        while (entries[i] != 0) {
            i = (i + 1) & mask;
        }
        entries[i] = (probe >>> 32 << 32) | (slot + 1);
        size++;
    }

    /** Takes a slot out and closes the gap, so that later entries of the same run stay reachable. */
    void remove(int slot) {
        long probe = slots.probe(slot);
        int hole = (int) (probe >>> shift);
        while (slot(entries[hole]) != slot) {
            if (entries[hole] == 0) {
                throw new IllegalStateException("Slot " + slot + " is not in the identity table");
            }
            hole = (hole + 1) & mask;
        }
        for (int i = (hole + 1) & mask; entries[i] != 0; i = (i + 1) & mask) {
            int home = (int) (entries[i] >>> shift);
            if (((i - home) & mask) >= ((i - hole) & mask)) {
                entries[hole] = entries[i];
                hole = i;
            }
        }
        entries[hole] = 0;
        size--;
    }

    private static int slot(long entry) {
        return (int) entry - 1;
    }
}
