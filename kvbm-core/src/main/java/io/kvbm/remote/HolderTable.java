package io.kvbm.remote;

import java.util.Arrays;

/**
 * From identity to the set of holders that have a block of it, one bit per holder: an open-addressed table with linear
 * probing, at most three quarters full, without tombstones. An entry is the identity's first word followed by the words
 * of the set, all in one array; one whose set is empty does not exist.
 *
 * <p>
 * One thread writes at a time. A lookup that runs into a write ends and stays within the table, but its answer is worth
 * nothing.
 */
final class HolderTable {

    static final int NONE = -1;

    private final int words;
    private final int stride;
    private final long salt;
    private final int mask;
    private final int shift;
    private final long[] entries;
    private int size;

    /**
     * An empty table.
     *
     * @param identities how many it has room for
     * @param words of 64 holders each
     * @param salt odd; makes the place of an identity unknown to whoever chooses its tokens
     */
    HolderTable(int identities, int words, long salt) {
        this.words = words;
        this.stride = 1 + words;
        this.salt = salt;
        int capacity = capacity(identities);
        this.mask = capacity - 1;
        this.shift = Long.SIZE - Integer.numberOfTrailingZeros(capacity);
        this.entries = new long[Math.multiplyExact(capacity, stride)];
    }

    /** Entries of the table for so many identities: a power of two, of which they take three quarters at most. */
    static int capacity(long identities) {
        return Math.max(16, Math.toIntExact(Long.highestOneBit(identities + identities / 3 + 1) << 1));
    }

    int size() {
        return size;
    }

    int capacity() {
        return mask + 1;
    }

    long bytes() {
        return (long) entries.length * Long.BYTES;
    }

    /** Where the set of an identity's holders starts, or {@link #NONE}. */
    int find(long identity) {
        int at = home(identity);
        for (int n = 0; n <= mask; n++) {
            int entry = at * stride;
            long key = entries[entry];
            if (key == identity && (key != 0 || isTaken(entry))) {
                return entry + 1;
            }
            if (key == 0 && !isTaken(entry)) {
                return NONE;
            }
            at = (at + 1) & mask;
        }
        return NONE;
    }

    /** One word of the set that starts there. */
    long word(int set, int word) {
        return entries[set + word];
    }

    void add(long identity, int holder) {
        int at = home(identity);
        int entry = at * stride;
        while (isTaken(entry) && entries[entry] != identity) {
            at = (at + 1) & mask;
            entry = at * stride;
        }
        if (!isTaken(entry)) {
            entries[entry] = identity;
            size++;
        }
        entries[entry + 1 + (holder >> 6)] |= 1L << holder;
    }

    /** Takes a holder out of the set of an identity, and with the last one the identity out of the table. */
    void remove(long identity, int holder) {
        int set = find(identity);
        if (set == NONE) {
            throw new IllegalStateException("Nobody holds identity " + Long.toUnsignedString(identity, 16));
        }
        entries[set + (holder >> 6)] &= ~(1L << holder);
        int entry = set - 1;
        if (!isTaken(entry)) {
            entries[entry] = 0;
            size--;
            close(entry / stride);
        }
    }

    /** Moves later entries of the same run into the hole, so that they stay reachable. */
    private void close(int first) {
        int hole = first;
        for (int at = (hole + 1) & mask; isTaken(at * stride); at = (at + 1) & mask) {
            int home = home(entries[at * stride]);
            if (((at - home) & mask) >= ((at - hole) & mask)) {
                System.arraycopy(entries, at * stride, entries, hole * stride, stride);
                Arrays.fill(entries, at * stride, at * stride + stride, 0);
                hole = at;
            }
        }
    }

    /** The same content in a table with room for so many identities. */
    HolderTable resized(int identities) {
        HolderTable table = new HolderTable(identities, words, salt);
        for (int entry = 0; entry < entries.length; entry += stride) {
            if (isTaken(entry)) {
                int at = table.home(entries[entry]);
                while (table.isTaken(at * stride)) {
                    at = (at + 1) & table.mask;
                }
                System.arraycopy(entries, entry, table.entries, at * stride, stride);
                table.size++;
            }
        }
        return table;
    }

    private int home(long identity) {
        return (int) ((identity * salt) >>> shift);
    }

    private boolean isTaken(int entry) {
        for (int w = 1; w <= words; w++) {
            if (entries[entry + w] != 0) {
                return true;
            }
        }
        return false;
    }
}
