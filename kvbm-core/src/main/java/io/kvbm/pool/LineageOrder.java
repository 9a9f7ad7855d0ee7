package io.kvbm.pool;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Least recently returned first, leaves before the blocks they continue.
 *
 * <p>
 * All inactive slots hang in one list by time of return. Sequences return their tails first, so the head of the list is
 * nearly always a leaf. Where it is not, the slot steps aside until its last child is gone and then goes to the front,
 * where it had been: every slot left in the list was returned later. When all have stepped aside, because blocks that
 * are held continue them, those go first that no other one aside continues. The parent of a slot is named with the number of
 * its registration, because its slot may have been reused for something else.
 *
 * <pre>
 *   idle:  sentinel n <-> oldest <-> ... <-> newest <-> sentinel n
 *   aside: sentinel n+1 <-> inner blocks met at the head, oldest first
 * </pre>
 */
final class LineageOrder implements ReuseOrder {

    final int idle;
    final int aside;
    final int[] next;
    private final int[] previous;
    private final boolean[] steppedAside;
    private final int[] parents;
    private final int[] parentRegistrations;
    private final int[] registrations;
    private final int[] children;

    LineageOrder(int slots) {
        this.idle = slots;
        this.aside = slots + 1;
        this.next = new int[slots + 2];
        this.previous = new int[slots + 2];
        this.steppedAside = new boolean[slots];
        this.parents = new int[slots];
        this.parentRegistrations = new int[slots];
        this.registrations = new int[slots];
        this.children = new int[slots];
        Arrays.fill(parents, NONE);
        for (int list = idle; list <= aside; list++) {
            next[list] = list;
            previous[list] = list;
        }
    }

    @Override
    public void registered(int slot, int parent) {
        parents[slot] = parent;
        if (parent != NONE) {
            parentRegistrations[slot] = registrations[parent];
            children[parent]++;
        }
    }

    @Override
    public void inactive(int slot) {
        insertBefore(idle, slot);
    }

    @Override
    public void active(int slot) {
        unlink(slot);
        steppedAside[slot] = false;
    }

    @Override
    public int evict() {
        int slot = next[idle];
        while (slot != idle && children[slot] > 0) {
            unlink(slot);
            insertBefore(aside, slot);
            steppedAside[slot] = true;
            slot = next[idle];
        }
        if (slot == idle) {
            slot = endOfPrefix();
            if (slot == NONE) {
                return NONE;
            }
        }
        active(slot);
        unregistered(slot);
        return slot;
    }

    /**
     * The first slot aside that no other one aside continues. It is looked for only when every inactive block has a
     * held one behind it, so when sequences keep their tails and have returned their heads; its parent comes next
     * without a search.
     */
    private int endOfPrefix() {
        BitSet continued = new BitSet();
        for (int slot = next[aside]; slot != aside; slot = next[slot]) {
            int parent = parents[slot];
            if (parent != NONE && parentRegistrations[slot] == registrations[parent]) {
                continued.set(parent);
            }
        }
        int slot = next[aside];
        while (slot != aside && continued.get(slot)) {
            slot = next[slot];
        }
        return slot == aside ? NONE : slot;
    }

    @Override
    public void unregistered(int slot) {
        registrations[slot]++;
        children[slot] = 0;
        int parent = parents[slot];
        if (parent == NONE) {
            return;
        }
        parents[slot] = NONE;
        if (parentRegistrations[slot] == registrations[parent] && --children[parent] == 0 && steppedAside[parent]) {
            active(parent);
            insertBefore(next[idle], parent);
        }
    }

    private void insertBefore(int successor, int slot) {
        int predecessor = previous[successor];
        next[predecessor] = slot;
        previous[slot] = predecessor;
        next[slot] = successor;
        previous[successor] = slot;
    }

    private void unlink(int slot) {
        int after = next[slot];
        int before = previous[slot];
        next[before] = after;
        previous[after] = before;
    }
}
