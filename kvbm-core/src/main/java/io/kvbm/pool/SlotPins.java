package io.kvbm.pool;

import java.util.AbstractList;
import java.util.RandomAccess;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.Pin;

/**
 * The holds that one transfer has on slots of a pool, so that the blocks' handles may be closed before it ends. The pins
 * of a list are alike: all of them read-only, or none.
 */
final class SlotPins extends AbstractList<Pin> implements RandomAccess {

    /** What watches over pins that nobody ends. Guarded by the pool's lock. */
    @Nullable
    Runnable net;

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

    /** Calls the net off once no pin is left; under the pool's lock. */
    void ended() {
        Runnable watching = net;
        if (watching == null) {
            return;
        }
        for (int hold : holds) {
            if (hold >= 0) {
                return;
            }
        }
        net = null;
        watching.run();
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
