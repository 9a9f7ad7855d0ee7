package io.kvbm.pool;

/** The reference's order: smallest {@link io.kvbm.block.BlockMetadata} first, then smallest sequence hash; a binary heap. */
final class PriorityOrder implements ReuseOrder {

    private final SlotTable slots;
    final int[] heap;
    private final int[] places;
    int size;

    PriorityOrder(SlotTable slots) {
        this.slots = slots;
        this.heap = new int[slots.size()];
        this.places = new int[slots.size()];
    }

    @Override
    public void registered(int slot, int parent) {}

    @Override
    public void inactive(int slot) {
        siftUp(size++, slot);
    }

    @Override
    public void active(int slot) {
        int place = places[slot];
        int last = heap[--size];
        if (place == size) {
            return;
        }
        if (place > 0 && before(last, heap[(place - 1) >>> 1])) {
            siftUp(place, last);
        } else {
            siftDown(place, last);
        }
    }

    @Override
    public int evict() {
        if (size == 0) {
            return NONE;
        }
        int slot = heap[0];
        active(slot);
        return slot;
    }

    @Override
    public void unregistered(int slot) {}

    private void siftUp(int from, int slot) {
        int place = from;
        while (place > 0) {
            int parent = (place - 1) >>> 1;
            if (!before(slot, heap[parent])) {
                break;
            }
            put(place, heap[parent]);
            place = parent;
        }
        put(place, slot);
    }

    private void siftDown(int from, int slot) {
        int place = from;
        while (2 * place + 1 < size) {
            int child = 2 * place + 1;
            if (child + 1 < size && before(heap[child + 1], heap[child])) {
                child++;
            }
            if (!before(heap[child], slot)) {
                break;
            }
            put(place, heap[child]);
            place = child;
        }
        put(place, slot);
    }

    private void put(int place, int slot) {
        heap[place] = slot;
        places[slot] = place;
    }

    private boolean before(int a, int b) {
        int order = slots.metadata(a).compareTo(slots.metadata(b));
        return order != 0 ? order < 0 : Long.compareUnsigned(slots.sequenceHash(a), slots.sequenceHash(b)) < 0;
    }
}
