package io.kvbm.pool;

import java.util.AbstractList;
import java.util.RandomAccess;

import io.kvbm.block.Pin;

/**
 * The holds that one transfer has on slots of a pool, so that the blocks' handles may be closed before it ends. The pins
 * of a list are alike: all of them read-only, or none.
 */
final class SlotPins extends AbstractList<Pin> implements RandomAccess {

    private final PoolHandles pool;
    private final int[] holds;
    private final boolean readOnly;

    /** @param holds the slots; an entry becomes its complement when the hold is given back, under the pool's lock */
    SlotPins(PoolHandles pool, int[] holds, boolean readOnly) {
        this.pool = pool;
        this.holds = holds;
        this.readOnly = readOnly;
    }

    PoolHandles pool() {
        return pool;
    }

    boolean readOnly() {
        return readOnly;
    }

    int slot(int place) {
        int hold = holds[place];
        return hold >= 0 ? hold : ~hold;
    }

    /** Marks one hold as given back, under the pool's lock; false where it was before. */
    boolean end(int place) {
        int hold = holds[place];
        if (hold < 0) {
            return false;
        }
        holds[place] = ~hold;
        return true;
    }

    @Override
    public Pin get(int place) {
        return new SlotPin(this, place);
    }

    @Override
    public int size() {
        return holds.length;
    }
}
