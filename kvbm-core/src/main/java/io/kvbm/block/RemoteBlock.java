package io.kvbm.block;

import java.util.OptionalLong;

import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.StorageType;

/**
 * The address of a block of another worker, taken from what that worker exports. It holds nothing: the block may be
 * reused, or its worker gone, at any time, which whoever moves its bytes has to find out.
 *
 * @param id where it is
 * @param epoch when its worker was started, as far as this one knows; unsigned
 * @param layout how it is laid out
 * @param storageType the kind of memory at its owner
 * @param mutability whether it may be written
 * @param generation the content that is meant; empty where whatever is there is meant
 */
public record RemoteBlock(BlockId id, long epoch, BlockLayout layout, StorageType storageType,
        MutabilityKind mutability, OptionalLong generation) {

    /** The block's index in its block set. */
    public int index() {
        return id.index();
    }

    /** Whether it may be written. */
    public boolean isMutable() {
        return mutability == MutabilityKind.MUTABLE;
    }
}
