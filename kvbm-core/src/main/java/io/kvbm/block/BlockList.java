package io.kvbm.block;

import java.util.AbstractList;
import java.util.RandomAccess;

import org.jspecify.annotations.Nullable;

/**
 * The holds on blocks that one call has taken, in order. Closing the list gives all of them back in one critical
 * section, last to first, so that the tail of a chain is the first to be reused. The handles through which single blocks
 * are used are made when the first one is asked for.
 *
 * @param <B> mutable or immutable blocks
 */
public final class BlockList<B extends BlockHandle> extends AbstractList<B> implements RandomAccess, AutoCloseable {

    final BlockOwner owner;

    /**
     * The slot of each block, or its complement once its hold was given back. Written under the owner's lock only; read
     * elsewhere as a courtesy to report use after close.
     */
    final int[] holds;

    /** What watches over holds that nobody gives back. */
    @Nullable
    Runnable net;

    private final HandleKind<B> kind;
    private volatile B @Nullable [] handles;

    BlockList(BlockOwner owner, int[] holds, HandleKind<B> kind) {
        this.owner = owner;
        this.holds = holds;
        this.kind = kind;
    }

    @Override
    public B get(int index) {
        B[] made = handles;
        return (made != null ? made : handles())[index];
    }

    /** Two threads that read the same list get the same handles, as a mutable block's content hangs on its handle. */
    private synchronized B[] handles() {
        B[] made = handles;
        if (made == null) {
            made = kind.array(holds.length);
            for (int i = 0; i < made.length; i++) {
                made[i] = kind.handle(this, i);
            }
            handles = made;
        }
        return made;
    }

    @Override
    public int size() {
        return holds.length;
    }

    /** The slot at a place, whether it is still held or not. */
    int slot(int place) {
        int hold = holds[place];
        return hold >= 0 ? hold : ~hold;
    }

    boolean isEnded(int place) {
        return holds[place] < 0;
    }

    /** Gives every hold back that was not given back on its own. */
    @Override
    public void close() {
        owner.releaseAll(this);
    }

    /** Makes the handles of a list. */
    interface HandleKind<B extends BlockHandle> {

        HandleKind<MutableBlock> MUTABLE = new HandleKind<>() {
            @Override
            public MutableBlock[] array(int size) {
                return new MutableBlock[size];
            }

            @Override
            public MutableBlock handle(BlockList<MutableBlock> list, int place) {
                return new MutableBlock(list, place);
            }
        };

        HandleKind<ImmutableBlock> IMMUTABLE = new HandleKind<>() {
            @Override
            public ImmutableBlock[] array(int size) {
                return new ImmutableBlock[size];
            }

            @Override
            public ImmutableBlock handle(BlockList<ImmutableBlock> list, int place) {
                return new ImmutableBlock(list, place);
            }
        };

        B[] array(int size);

        B handle(BlockList<B> list, int place);
    }
}
