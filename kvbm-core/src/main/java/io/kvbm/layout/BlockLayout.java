package io.kvbm.layout;

import io.kvbm.error.LayoutException;

/**
 * Where the region of a (block, layer, outer part) lies: in which storage, and how many bytes behind its aligned base. A
 * region is page size × inner dimension elements.
 */
public sealed interface BlockLayout permits FullyContiguousLayout, LayerSeparateLayout {

    /**
     * The layout of this type with these dimensions.
     *
     * @throws LayoutException {@code INVALID_CONFIG} where a dimension is out of range or the size overflows
     */
    static BlockLayout of(LayoutConfig config, LayoutType type) {
        config.validate();
        try {
            BlockLayout layout = switch (type) {
                case FULLY_CONTIGUOUS -> new FullyContiguousLayout(config);
                case LAYER_SEPARATE -> new LayerSeparateLayout(config, false);
                case LAYER_SEPARATE_OUTER_FIRST -> new LayerSeparateLayout(config, true);
            };
            Math.multiplyExact(layout.requiredAllocation(), layout.storageCount());
            return layout;
        } catch (ArithmeticException e) {
            throw new LayoutException(LayoutException.Kind.INVALID_CONFIG,
                    "The size of " + config + " is over 2^63 bytes; check its dimensions", e);
        }
    }

    /** The dimensions. */
    LayoutConfig config();

    /** How the blocks are laid out. */
    LayoutType type();

    /** The number of storages. */
    int storageCount();

    /** The bytes of data in one storage, behind its aligned base; padding only between blocks. */
    long dataBytes();

    /** The storage that holds a layer. */
    int storageOf(int layer);

    /**
     * Bytes from the aligned base of the storage to the region.
     *
     * @throws LayoutException {@code INVALID_BLOCK_INDEX}, {@code INVALID_LAYER_INDEX}, {@code INVALID_OUTER_INDEX}, in
     *         this order
     */
    long offset(int block, int layer, int outer);

    /** Whether a block's data is one run of bytes. */
    boolean blockContiguous();

    /** Whether the outer parts of a layer of a block are one run of bytes. */
    boolean layerContiguous();

    /** The number of blocks. */
    default int numBlocks() {
        return config().numBlocks();
    }

    /** The number of layers. */
    default int numLayers() {
        return config().numLayers();
    }

    /** Regions per layer. */
    default int outerDim() {
        return config().outerDim();
    }

    /** Tokens per block. */
    default int pageSize() {
        return config().pageSize();
    }

    /** Elements per token in one region. */
    default int innerDim() {
        return config().innerDim();
    }

    /** Element type. */
    default DType dtype() {
        return config().dtype();
    }

    /** Heads that the elements of a token are split into. */
    default int heads() {
        return config().heads();
    }

    /** Order of tokens and heads in a region. */
    default HeadOrder headOrder() {
        return config().headOrder();
    }

    /** Bytes of one region: page size × inner dimension × element size. */
    default long regionSize() {
        return regionSize(config());
    }

    /** Bytes of one layer of one block: outer parts × region. */
    default long layerSize() {
        return regionSize() * outerDim();
    }

    /** Bytes of data in one block, over all layers and storages, without padding. */
    default long bytesPerBlock() {
        return layerSize() * numLayers();
    }

    /** Bytes to allocate for one storage, so that an aligned base is found wherever the allocation starts. */
    default long requiredAllocation() {
        return Math.addExact(dataBytes(), config().alignment() - 1);
    }

    /** Bytes from an address, unsigned, to the next aligned one. */
    default long baseOffset(long address) {
        return -address & (config().alignment() - 1L);
    }

    /** Refuses indices that this layout does not have; the block is looked at first. */
    default void check(int block, int layer, int outer) {
        if (block < 0 || block >= numBlocks()) {
            throw new LayoutException(LayoutException.Kind.INVALID_BLOCK_INDEX,
                    "Block " + block + " is asked for of a layout of " + numBlocks() + " blocks");
        }
        if (layer < 0 || layer >= numLayers()) {
            throw new LayoutException(LayoutException.Kind.INVALID_LAYER_INDEX,
                    "Layer " + layer + " is asked for of a layout of " + numLayers() + " layers");
        }
        if (outer < 0 || outer >= outerDim()) {
            throw new LayoutException(LayoutException.Kind.INVALID_OUTER_INDEX,
                    "Outer part " + outer + " is asked for of a layout of " + outerDim() + " outer parts");
        }
    }

    private static long regionSize(LayoutConfig config) {
        return Math.multiplyExact(Math.multiplyExact((long) config.pageSize(), config.innerDim()),
                config.dtype().bytes());
    }

    /** The least multiple of the alignment, a power of two, that is not below the value. */
    static long roundUp(long value, long alignment) {
        return Math.addExact(value, alignment - 1) & -alignment;
    }
}
