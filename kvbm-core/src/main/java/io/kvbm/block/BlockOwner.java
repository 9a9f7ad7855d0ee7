package io.kvbm.block;

import java.util.List;
import java.util.OptionalLong;

import io.kvbm.storage.BlockMemory;
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

    /** Where the blocks lie. */
    protected final BlockMemory memory() {
        return blocks().memory;
    }

    /** The start of the worker since which generations count; empty where no other process is told of them. */
    protected abstract OptionalLong epoch();

    /** Takes back the hold of this handle, unless it was taken back before. */
    protected abstract void release(BlockHandle handle);

    /** Takes back the holds of a list that were not taken back before, at once, last to first. */
    protected abstract void releaseAll(BlockList<?> list);

    /** Another hold on the registered block of this handle. */
    protected abstract ImmutableBlock share(ImmutableBlock handle);

    /** A hold without a handle. */
    protected abstract Pin pin(BlockHandle handle);

    /**
     * Holds without handles on the blocks {@code from} to {@code to} (exclusive) of an array, or on none. Either all of
     * them are mutable, or none.
     */
    protected abstract List<Pin> pinAll(BlockHandle[] handles, int from, int to);

    /** Holds without handles on all blocks of a list, which has at least one, or on none. */
    protected abstract List<Pin> pinAll(BlockList<?> list);

    /** Ends all these pins that are not ended yet. */
    protected abstract void unpinAll(List<Pin> pins);

    /** What the reuse order knows of the block; {@link io.kvbm.error.ClosedException} after the handle was closed. */
    protected abstract BlockMetadata metadata(BlockHandle handle);

    /** Sets the block's priority; {@link io.kvbm.error.ClosedException} after the handle was closed. */
    protected abstract void priority(MutableBlock handle, int priority);

    /** A number that rises whenever the slot's content goes; refused like {@link #metadata}. */
    protected abstract long generation(ImmutableBlock handle);

    /** Sequence hash of the registered block; refused like {@link #metadata}. */
    protected abstract long sequenceHash(ImmutableBlock handle);

    /** Hash of the tokens of the registered block; refused like {@link #metadata}. */
    protected abstract long blockHash(ImmutableBlock handle);

    /** Holds on slots that their holder alone may write; the array becomes the list's own. */
    protected final BlockList<MutableBlock> mutable(int[] slots) {
        return new BlockList<>(this, slots, BlockList.HandleKind.MUTABLE);
    }

    /** Holds on slots with registered content; the array becomes the list's own. */
    protected final BlockList<ImmutableBlock> immutable(int[] slots) {
        return new BlockList<>(this, slots, BlockList.HandleKind.IMMUTABLE);
    }

    /** What is to be run when all holds of a list have been given back. */
    protected final void watch(BlockList<?> list, Runnable net) {
        list.net = net;
    }

    /** Whether the handle is one of this owner's. */
    protected final boolean owns(BlockHandle handle) {
        return owns(handle.list);
    }

    /** Whether the list is one of this owner's. */
    @SuppressWarnings("ReferenceEquality") // an owner is itself and nobody else
    protected final boolean owns(BlockList<?> list) {
        return list.owner == this;
    }

    /** The slot of one of this owner's handles. */
    protected final int slot(BlockHandle handle) {
        return handle.slot;
    }

    /** The slot at a place of one of this owner's lists. */
    protected final int slot(BlockList<?> list, int place) {
        return list.slot(place);
    }

    /** Whether the hold at a place of a list was given back. */
    protected final boolean isEnded(BlockList<?> list, int place) {
        return list.isEnded(place);
    }

    /**
     * Marks the handle's hold as given back, under the owner's lock.
     *
     * @return false where it was given back already
     */
    protected final boolean end(BlockHandle handle) {
        if (!end(handle.list, handle.place)) {
            return false;
        }
        ended(handle.list);
        return true;
    }

    /** Marks one hold of a list as given back, like {@link #end(BlockHandle)}; the caller calls {@link #ended} at last. */
    protected final boolean end(BlockList<?> list, int place) {
        if (!owns(list)) {
            throw new IllegalStateException("A handle can be ended by its own pool only");
        }
        int hold = list.holds[place];
        if (hold < 0) {
            return false;
        }
        list.holds[place] = ~hold;
        return true;
    }

    /** Calls off what watches over a list of which no hold is left. */
    protected final void ended(BlockList<?> list) {
        Runnable net = list.net;
        if (net == null) {
            return;
        }
        for (int hold : list.holds) {
            if (hold >= 0) {
                return;
            }
        }
        list.net = null;
        net.run();
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
