package io.kvbm.layout;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ConfigException;
import io.kvbm.error.LayoutException;

/**
 * The dimensions of a layout. A layout refuses values that are out of range, this record does not.
 *
 * @param numBlocks blocks, at least 1
 * @param numLayers layers, at least 1
 * @param outerDim regions per layer, such as K and V; at least 1
 * @param pageSize tokens per block, at least 1
 * @param innerDim elements per token in one region, at least 1
 * @param alignment bytes to which the start of every block is aligned, a power of two; 1 for none
 * @param dtype element type
 * @param heads heads that the elements of a token are split into; 1 where that is of no concern
 * @param headOrder order of tokens and heads in a region; means nothing where heads is 1
 */
public record LayoutConfig(int numBlocks, int numLayers, int outerDim, int pageSize, int innerDim, int alignment,
        DType dtype, int heads, HeadOrder headOrder) {

    /** Starts a configuration. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Refuses dimensions below 1, an alignment that is no power of two, and heads that do not divide the elements of a
     * token.
     *
     * @throws LayoutException {@code INVALID_CONFIG}
     */
    public void validate() {
        requirePositive("numBlocks", numBlocks);
        requirePositive("numLayers", numLayers);
        requirePositive("outerDim", outerDim);
        requirePositive("pageSize", pageSize);
        requirePositive("innerDim", innerDim);
        if (alignment < 1 || Integer.bitCount(alignment) != 1) {
            throw new LayoutException(LayoutException.Kind.INVALID_CONFIG,
                    "alignment is " + alignment + "; give a power of two, or 1 for none");
        }
        if (heads < 1 || innerDim % heads != 0) {
            throw new LayoutException(LayoutException.Kind.INVALID_CONFIG, "heads is " + heads + " and innerDim "
                    + innerDim + "; give a number of heads that divides it");
        }
    }

    private static void requirePositive(String name, int value) {
        if (value < 1) {
            throw new LayoutException(LayoutException.Kind.INVALID_CONFIG,
                    name + " is " + value + ", below its minimum of 1");
        }
    }

    /** Collects the dimensions; {@link #build()} names what is missing. */
    public static final class Builder {

        private @Nullable Integer numBlocks;
        private @Nullable Integer numLayers;
        private @Nullable Integer pageSize;
        private @Nullable Integer innerDim;
        private int outerDim = 1;
        private int alignment = 1;
        private DType dtype = DType.FP16;
        private int heads = 1;
        private HeadOrder headOrder = HeadOrder.NHD;

        private Builder() {}

        /** Blocks; required. */
        public Builder numBlocks(int value) {
            this.numBlocks = value;
            return this;
        }

        /** Layers; required. */
        public Builder numLayers(int value) {
            this.numLayers = value;
            return this;
        }

        /** Regions per layer; 1 unless set. */
        public Builder outerDim(int value) {
            this.outerDim = value;
            return this;
        }

        /** Tokens per block; required. */
        public Builder pageSize(int value) {
            this.pageSize = value;
            return this;
        }

        /** Elements per token in one region; required. */
        public Builder innerDim(int value) {
            this.innerDim = value;
            return this;
        }

        /** Bytes to which the start of every block is aligned; 1 unless set. */
        public Builder alignment(int value) {
            this.alignment = value;
            return this;
        }

        /** Element type; FP16 unless set. */
        public Builder dtype(DType value) {
            this.dtype = value;
            return this;
        }

        /** Heads that the elements of a token are split into; 1 unless set. */
        public Builder heads(int value) {
            this.heads = value;
            return this;
        }

        /** Order of tokens and heads in a region; {@link HeadOrder#NHD} unless set. */
        public Builder headOrder(HeadOrder value) {
            this.headOrder = value;
            return this;
        }

        /** The configuration. */
        public LayoutConfig build() {
            return new LayoutConfig(required("numBlocks", numBlocks), required("numLayers", numLayers), outerDim,
                    required("pageSize", pageSize), required("innerDim", innerDim), alignment, dtype, heads, headOrder);
        }

        private static int required(String name, @Nullable Integer value) {
            if (value == null) {
                throw new ConfigException(ConfigException.Kind.MISSING, name + " is missing from the layout");
            }
            return value;
        }
    }
}
