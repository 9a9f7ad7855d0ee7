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
    private final int numBlocks;
    private final int numLayers;
    private final int outerDim;
    private final long region;
    private final long layerStride;
    private final long blockBytes;
    private final long blockStride;
    private final long dataBytes;

    FullyContiguousLayout(LayoutConfig config) {
        this.config = config;
        this.numBlocks = config.numBlocks();
        this.numLayers = config.numLayers();
        this.outerDim = config.outerDim();
        this.region = BlockLayout.super.regionSize();
        this.layerStride = Math.multiplyExact(region, outerDim);
        this.blockBytes = Math.multiplyExact(layerStride, numLayers);
        this.blockStride = BlockLayout.roundUp(blockBytes, config.alignment());
        this.dataBytes = Math.addExact(Math.multiplyExact(numBlocks - 1L, blockStride), blockBytes);
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
    public int numBlocks() {
        return numBlocks;
    }

    @Override
    public int numLayers() {
        return numLayers;
    }

    @Override
    public int outerDim() {
        return outerDim;
    }

    @Override
    public long regionSize() {
        return region;
    }

    @Override
    public long layerSize() {
        return layerStride;
    }

    @Override
    public long bytesPerBlock() {
        return blockBytes;
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
