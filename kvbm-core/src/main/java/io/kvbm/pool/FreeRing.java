package io.kvbm.pool;

/** The slots without content, first in first out. Guarded by the pool's lock. */
final class FreeRing {

    final int[] ring;
    int head;
    private int size;

    FreeRing(int slots) {
        this.ring = new int[slots];
    }

    int size() {
        return size;
    }

    void add(int slot) {
        if (size == ring.length) {
            throw new IllegalStateException("Slot " + slot + " is freed although all " + size + " slots are free");
        }
        int tail = head + size;
        ring[tail < ring.length ? tail : tail - ring.length] = slot;
        size++;
    }

    /** Takes the slot that has been free for longest; {@link ReuseOrder#NONE} where none is. */
    int poll() {
        if (size == 0) {
            return ReuseOrder.NONE;
        }
        int slot = ring[head];
        head = head + 1 < ring.length ? head + 1 : 0;
        size--;
        return slot;
    }
}
