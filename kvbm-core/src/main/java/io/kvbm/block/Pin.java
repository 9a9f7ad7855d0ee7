package io.kvbm.block;

import java.lang.foreign.MemorySegment;

import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.StorageType;

/**
 * A reason not to reuse a block's memory yet, such as a running transfer. It outlives the handle it was taken from: a
 * block goes back to its pool when its last handle and its last pin are closed. Until then the pin reaches the memory.
 */
public interface Pin extends AutoCloseable {

    /** The block's address among all workers. */
    BlockId id();

    /** How the block is laid out. */
    BlockLayout layout();

    /** The region of one layer and one outer part; see {@link Block#segment(int, int)}. */
    MemorySegment segment(int layer, int outer);

    /** Where the region of one layer and one outer part starts; see {@link Block#address(int, int)}. */
    long address(int layer, int outer);

    /** The kind of memory the block lies in. */
    StorageType storageType();

    /** All outer parts of one layer; see {@link Block#layer(int)}. */
    MemorySegment layer(int layer);

    /** The whole block; see {@link Block#segment()}. */
    MemorySegment segment();

    /** Ends the pin; further calls do nothing. */
    @Override
    void close();
}
