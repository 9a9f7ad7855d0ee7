package io.kvbm.layout;

/**
 * Every layer in a storage of its own, as engines that allocate their cache layer by layer have it.
 *
 * <pre>
 *   block first:  base + block * blockStride + outer * region        blockStride = outerDim * region, aligned
 *   outer first:  base + outer * outerStride + block * blockStride   blockStride = region, aligned
 *                                                                    outerStride = numBlocks * blockStride
 * </pre>
 */
public final class LayerSeparateLayout implements BlockLayout {

    private final LayoutConfig config;
    private final boolean outerFirst;
    private final long blockStride;
    private final long outerStride;
    private final long dataBytes;

    LayerSeparateLayout(LayoutConfig config, boolean outerFirst) {
        this.config = config;
        this.outerFirst = outerFirst;
        long region = regionSize();
        long natural = outerFirst ? region : Math.multiplyExact(region, config.outerDim());
        this.blockStride = BlockLayout.roundUp(natural, config.alignment());
        this.outerStride = outerFirst ? Math.multiplyExact(blockStride, config.numBlocks()) : region;
        long lastOuter = outerFirst ? Math.multiplyExact(outerStride, config.outerDim() - 1L) : 0;
        this.dataBytes = Math.addExact(lastOuter,
                Math.addExact(Math.multiplyExact(config.numBlocks() - 1L, blockStride), natural));
    }

    @Override
    public LayoutConfig config() {
        return config;
    }

    @Override
    public LayoutType type() {
        return outerFirst ? LayoutType.LAYER_SEPARATE_OUTER_FIRST : LayoutType.LAYER_SEPARATE;
    }

    @Override
    public int storageCount() {
        return config.numLayers();
    }

    @Override
    public long dataBytes() {
        return dataBytes;
    }

    @Override
    public int storageOf(int layer) {
        return layer;
    }

    @Override
    public long offset(int block, int layer, int outer) {
        check(block, layer, outer);
        return block * blockStride + outer * outerStride;
    }

    @Override
    public boolean blockContiguous() {
        return config.numLayers() == 1 && layerContiguous();
    }

    @Override
    public boolean layerContiguous() {
        return !outerFirst || config.outerDim() == 1;
    }
}
