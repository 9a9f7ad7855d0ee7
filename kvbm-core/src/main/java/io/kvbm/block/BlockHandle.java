package io.kvbm.block;

import java.lang.foreign.MemorySegment;

import io.kvbm.error.ClosedException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.StorageType;

/**
 * A hold on a block of a pool. Closing it gives the hold back, exactly once however often it is called; the block
 * returns to the pool with its last hold.
 */
public abstract sealed class BlockHandle implements Block, AutoCloseable permits MutableBlock, ImmutableBlock {

    final BlockList<?> list;
    final int place;
    final int slot;

    BlockHandle(BlockList<?> list, int place) {
        this.list = list;
        this.place = place;
        this.slot = list.slot(place);
    }

    final BlockOwner owner() {
        return list.owner;
    }

    @Override
    public final BlockId id() {
        return owner().blocks().id(slot);
    }

    @Override
    public final int index() {
        return slot;
    }

    /** Whether both blocks are of one block set of one worker, so that their indices alone tell them apart. */
    public final boolean isOfSameSet(BlockHandle other) {
        return owner().owns(other) || owner().blocks().isNamedAs(other.owner().blocks());
    }

    @Override
    public final BlockLayout layout() {
        return owner().blocks().layout();
    }

    @Override
    public final StorageType storageType() {
        return owner().blocks().storageType();
    }

    @Override
    public final MemorySegment segment(int layer, int outer) {
        return view(memory().part(slot, layer, outer));
    }

    @Override
    public final MemorySegment layer(int layer) {
        return view(memory().layer(slot, layer));
    }

    @Override
    public final MemorySegment segment() {
        return view(memory().block(slot));
    }

    @Override
    public final long address(int layer, int outer) {
        return memory().address(slot, layer, outer);
    }

    /** The caller's wish and the pool's ticks for this block. */
    public final BlockMetadata metadata() {
        return owner().metadata(this);
    }

    /** Whether the hold was given back. */
    public final boolean isClosed() {
        return list.isEnded(place);
    }

    /**
     * Keeps the memory from being reused until the pin is closed, even after this handle is.
     *
     * @throws ClosedException after the handle was closed
     */
    public final Pin pin() {
        return owner().pin(this);
    }

    /** Gives the hold back. */
    @Override
    public final void close() {
        owner().release(this);
    }

    abstract MemorySegment view(MemorySegment memory);

    final void requireOpen() {
        if (isClosed()) {
            throw new ClosedException(
                    "The handle of block " + id() + " is closed; keep it open as long as the block is used");
        }
    }

    private BlockMemory memory() {
        requireOpen();
        return owner().memory();
    }

    @Override
    public String toString() {
        return getClass().getSimpleName() + "[" + id() + (isClosed() ? ", closed]" : "]");
    }
}
