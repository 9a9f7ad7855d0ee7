package io.kvbm.block;

import java.lang.foreign.MemorySegment;

import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.StorageType;

/**
 * A block of KV cache that this process can address: the K/V of one page of tokens for every layer.
 *
 * <p>
 * The segments it hands out are valid until its handle is closed. Writing through one afterwards damages whatever the
 * memory is used for next, and nothing can detect it.
 */
public sealed interface Block permits BlockHandle {

    /** The block's address among all workers. */
    BlockId id();

    /** The block's index in its pool. */
    int index();

    /** How the block is laid out. */
    BlockLayout layout();

    /** The kind of memory the block lies in. */
    StorageType storageType();

    /**
     * The region of one layer and one outer part (0 = K, 1 = V where the layout separates them): page size × inner
     * dimension elements. Read-only where the block is shared.
     *
     * @throws io.kvbm.error.LayoutException where the layout has no such layer or part
     * @throws io.kvbm.error.ClosedException after the handle was closed
     */
    MemorySegment segment(int layer, int outer);

    /**
     * All outer parts of one layer. Read-only where the block is shared.
     *
     * @throws io.kvbm.error.LayoutException where the layout keeps the outer parts apart, or has no such layer
     * @throws io.kvbm.error.ClosedException after the handle was closed
     */
    MemorySegment layer(int layer);

    /**
     * Where the region of one layer and one outer part starts in the address space of its memory, unsigned: what a kernel
     * is given. Of a GPU where the block lies there.
     *
     * @throws io.kvbm.error.LayoutException where the layout has no such layer or part
     * @throws io.kvbm.error.ClosedException after the handle was closed
     */
    long address(int layer, int outer);

    /**
     * The whole block, without padding behind it. Read-only where the block is shared.
     *
     * @throws io.kvbm.error.LayoutException where the layout keeps the layers apart
     * @throws io.kvbm.error.ClosedException after the handle was closed
     */
    MemorySegment segment();
}
