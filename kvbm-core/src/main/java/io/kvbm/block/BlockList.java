package io.kvbm.block;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.RandomAccess;

/**
 * The handles of one call, in order; closing the list gives all of them back in one critical section, last to first, so
 * that the tail of a chain is the first to be reused.
 *
 * @param <B> mutable or immutable blocks
 */
public final class BlockList<B extends BlockHandle> extends AbstractList<B> implements RandomAccess, AutoCloseable {

    private final BlockOwner owner;
    private final B[] handles;

    private BlockList(BlockOwner owner, B[] handles) {
        this.owner = owner;
        this.handles = handles;
    }

    /** The list over these handles of one owner; the array becomes the list's own. */
    public static <B extends BlockHandle> BlockList<B> of(BlockOwner owner, B[] handles) {
        return new BlockList<>(owner, handles);
    }

    /** The list over the first n of these handles. */
    public static <B extends BlockHandle> BlockList<B> of(BlockOwner owner, B[] handles, int n) {
        return new BlockList<>(owner, n == handles.length ? handles : Arrays.copyOf(handles, n));
    }

    @Override
    public B get(int index) {
        return handles[index];
    }

    @Override
    public int size() {
        return handles.length;
    }

    /** Gives every handle back that was not closed on its own. */
    @Override
    public void close() {
        owner.releaseAll(this);
    }
}
