package io.kvbm.block;

import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.token.TokenBlock;

/**
 * The side of a pool that its handles talk to. Being a subclass gives no power over foreign handles: an owner can end
 * only handles of its own.
 */
public abstract class BlockOwner {

    /** For pools. */
    protected BlockOwner() {}

    /** The blocks that are owned. */
    public abstract BlockSet blocks();

    /** Takes back the hold of this handle, unless it was taken back before. */
    protected abstract void release(BlockHandle handle);

    /** Takes back the holds of all these handles at once, last to first. */
    protected abstract void releaseAll(List<? extends BlockHandle> handles);

    /** Another hold on the registered block of this handle. */
    protected abstract ImmutableBlock share(ImmutableBlock handle);

    /** A hold without a handle. */
    protected abstract Pin pin(BlockHandle handle);

    /** Holds without handles on the blocks {@code from} to {@code to} (exclusive) of an array, or on none. */
    protected abstract List<Pin> pinAll(BlockHandle[] handles, int from, int to);

    /** Ends all these pins that are not ended yet. */
    protected abstract void unpinAll(List<Pin> pins);

    /** What the reuse order knows of the block; {@link io.kvbm.error.ClosedException} after the handle was closed. */
    protected abstract BlockMetadata metadata(BlockHandle handle);

    /** Sets the block's priority; {@link io.kvbm.error.ClosedException} after the handle was closed. */
    protected abstract void priority(MutableBlock handle, int priority);

    /** How often the slot has left the registered state; refused like {@link #metadata}. */
    protected abstract long generation(ImmutableBlock handle);

    /** Sequence hash of the registered block; refused like {@link #metadata}. */
    protected abstract long sequenceHash(ImmutableBlock handle);

    /** Hash of the tokens of the registered block; refused like {@link #metadata}. */
    protected abstract long blockHash(ImmutableBlock handle);

    /** A handle on a slot that its holder alone may write. */
    protected final MutableBlock mutable(int slot, @Nullable Object anchor) {
        return new MutableBlock(this, slot, anchor);
    }

    /** A handle on a slot with registered content. */
    protected final ImmutableBlock immutable(int slot, @Nullable Object anchor) {
        return new ImmutableBlock(this, slot, anchor);
    }

    /** Whether the handle is one of this owner's. */
    @SuppressWarnings("ReferenceEquality") // an owner is itself and nobody else
    protected final boolean owns(BlockHandle handle) {
        return handle.owner == this;
    }

    /** The slot of one of this owner's handles. */
    protected final int slot(BlockHandle handle) {
        return handle.slot;
    }

    /** What the handle was given to hold on to. */
    protected final @Nullable Object anchor(BlockHandle handle) {
        return handle.anchor;
    }

    /**
     * Marks the handle as closed, under the owner's lock.
     *
     * @return false where it was closed already
     */
    protected final boolean end(BlockHandle handle) {
        if (!owns(handle)) {
            throw new IllegalStateException("A handle can be ended by its own pool only");
        }
        if (handle.ended) {
            return false;
        }
        handle.ended = true;
        return true;
    }

    /**
     * The full page of tokens that a mutable block holds.
     *
     * @throws io.kvbm.error.BlockException where it holds none or less
     */
    protected final TokenBlock complete(MutableBlock block) {
        return block.content().complete();
    }

    /** States that the pool has registered the block's content. */
    protected final void registered(MutableBlock block) {
        block.registered();
    }
}
