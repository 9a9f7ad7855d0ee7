package io.kvbm.block;

import java.lang.foreign.MemorySegment;

/** A shared hold on a registered block: its bytes stay as they are and findable under its identity while it is held. */
public final class ImmutableBlock extends BlockHandle {

    ImmutableBlock(BlockList<ImmutableBlock> list, int place) {
        super(list, place);
    }

    /**
     * Another hold on the same block, closed on its own.
     *
     * @throws io.kvbm.error.ClosedException after this handle was closed
     */
    public ImmutableBlock share() {
        return owner().share(this);
    }

    /** The chained XXH3-64 hash of the tokens up to the end of this block, unsigned. */
    public long sequenceHash() {
        return owner().sequenceHash(this);
    }

    /** The XXH3-64 hash of this block's own tokens, unsigned. */
    public long blockHash() {
        return owner().blockHash(this);
    }

    /** A number that rises whenever the slot's content goes: two reads of the same generation saw the same content. */
    public long generation() {
        return owner().generation(this);
    }

    @Override
    MemorySegment view(MemorySegment memory) {
        return memory.asReadOnly();
    }
}
