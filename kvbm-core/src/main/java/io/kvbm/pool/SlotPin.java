package io.kvbm.pool;

import java.lang.foreign.MemorySegment;

import io.kvbm.block.BlockId;
import io.kvbm.block.Pin;
import io.kvbm.layout.BlockLayout;

/** A hold on a slot that a running transfer has, so that the block's handles may be closed before it ends. */
final class SlotPin implements Pin {

    private final PoolHandles pool;
    private final int slot;
    private final boolean readOnly;
    private boolean ended;

    SlotPin(PoolHandles pool, int slot, boolean readOnly) {
        this.pool = pool;
        this.slot = slot;
        this.readOnly = readOnly;
    }

    int slot() {
        return slot;
    }

    /** Marks the pin as ended, under the pool's lock; false where it was before. */
    boolean end() {
        boolean first = !ended;
        ended = true;
        return first;
    }

    @Override
    public BlockId id() {
        return pool.blocks().id(slot);
    }

    @Override
    public BlockLayout layout() {
        return pool.blocks().memory().layout();
    }

    @Override
    public MemorySegment segment(int layer, int outer) {
        return view(pool.blocks().memory().part(slot, layer, outer));
    }

    @Override
    public MemorySegment segment() {
        return view(pool.blocks().memory().block(slot));
    }

    private MemorySegment view(MemorySegment memory) {
        return readOnly ? memory.asReadOnly() : memory;
    }

    @Override
    public void close() {
        pool.unpin(this);
    }
}
