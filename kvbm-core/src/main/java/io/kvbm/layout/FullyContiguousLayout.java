package io.kvbm.layout;

/**
 * All blocks in one storage.
 *
 * <pre>
 *   base + block * blockStride + layer * layerStride + outer * region
 *
 *   layerStride = outerDim * region
 *   blockStride = numLayers * layerStride, rounded up to the alignment
 * </pre>
 *
 * Only the starts of blocks are aligned.
 */
public final class FullyContiguousLayout implements BlockLayout {

    private final LayoutConfig config;
    private final long region;
    private final long layerStride;
    private final long blockStride;
    private final long dataBytes;

    FullyContiguousLayout(LayoutConfig config) {
        this.config = config;
        this.region = regionSize();
        this.layerStride = Math.multiplyExact(region, config.outerDim());
        long natural = Math.multiplyExact(layerStride, config.numLayers());
        this.blockStride = BlockLayout.roundUp(natural, config.alignment());
        this.dataBytes = Math.addExact(Math.multiplyExact(config.numBlocks() - 1L, blockStride), natural);
    }

    /** Bytes from one block to the next. */
    public long blockStride() {
        return blockStride;
    }

    @Override
    public LayoutConfig config() {
        return config;
    }

    @Override
    public LayoutType type() {
        return LayoutType.FULLY_CONTIGUOUS;
    }

    @Override
    public int storageCount() {
        return 1;
    }

    @Override
    public long dataBytes() {
        return dataBytes;
    }

    @Override
    public int storageOf(int layer) {
        return 0;
    }

    @Override
    public long offset(int block, int layer, int outer) {
        check(block, layer, outer);
        return block * blockStride + layer * layerStride + outer * region;
    }

    @Override
    public boolean blockContiguous() {
        return true;
    }

    @Override
    public boolean layerContiguous() {
        return true;
    }
}
