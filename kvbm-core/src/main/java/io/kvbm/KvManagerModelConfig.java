package io.kvbm;

import java.util.Arrays;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ConfigException;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.token.ContentFingerprint;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.ModelIdentity;

/**
 * The geometry of the K/V that a model computes, and how its blocks are identified.
 *
 * @param numLayers transformer layers, at least 1
 * @param outerDim 2 where K and V are separate regions of a layer, 1 where they are one; at least 1
 * @param pageSize tokens per block, at least 1
 * @param innerDim elements per token in one region, at least 1
 * @param dtype the element type
 * @param heads K/V heads that the elements of a token are split into, at least 1
 * @param headOrder order of tokens and heads in a region of host memory, and wherever a level says nothing else
 * @param identityKind how blocks are identified
 * @param fingerprint what makes content interchangeable between workers; without one nothing is
 */
public record KvManagerModelConfig(int numLayers, int outerDim, int pageSize, int innerDim, DType dtype,
        int heads, HeadOrder headOrder, IdentityKind identityKind, @Nullable ContentFingerprint fingerprint) {

    /** Refuses numbers below 1 with a {@link ConfigException} that names them. */
    public KvManagerModelConfig {
        requirePositive("numLayers", numLayers);
        requirePositive("outerDim", outerDim);
        requirePositive("pageSize", pageSize);
        requirePositive("innerDim", innerDim);
        requirePositive("heads", heads);
    }

    /**
     * The geometry of a model that is known by name.
     *
     * @throws ConfigException where its element type is none of {@link DType}, or a token has over 2^31 elements
     */
    public static KvManagerModelConfig of(ModelIdentity model) {
        DType dtype = Arrays.stream(DType.values())
                .filter(d -> d.name().equals(model.dtype()))
                .findFirst()
                .orElseThrow(() -> new ConfigException(ConfigException.Kind.INVALID, "The element type "
                        + model.dtype() + " of model " + model.modelId() + " is none of "
                        + Arrays.toString(DType.values())));
        long innerDim = (long) model.heads() * model.headDim();
        if (innerDim > Integer.MAX_VALUE) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "heads is " + model.heads() + " and headDim " + model.headDim() + ", which makes " + innerDim
                            + " elements per token, over the limit of " + Integer.MAX_VALUE + "; correct them");
        }
        return new KvManagerModelConfig(model.layers(), model.outer(), model.pageSize(), (int) innerDim, dtype,
                model.heads(), model.headOrder(), model.identityKind(), model.fingerprint());
    }

    /** Starts the geometry of a model without a name, whose content this worker keeps for itself. */
    public static Builder builder() {
        return new Builder();
    }

    private static void requirePositive(String name, int value) {
        if (value < 1) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    name + " is " + value + ", below its minimum of 1; take it from the model's configuration");
        }
    }

    /** Collects the values; {@link #build()} names what is missing. */
    public static final class Builder {

        private @Nullable Integer numLayers;
        private @Nullable Integer pageSize;
        private @Nullable Integer innerDim;
        private int outerDim = 1;
        private DType dtype = DType.FP16;
        private int heads = 1;
        private HeadOrder headOrder = HeadOrder.NHD;
        private IdentityKind identityKind = IdentityKind.SHA256;

        private Builder() {}

        /** Transformer layers; required. */
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

        /** The element type; FP16 unless set. */
        public Builder dtype(DType value) {
            this.dtype = value;
            return this;
        }

        /** K/V heads that the elements of a token are split into; 1 unless set. */
        public Builder heads(int value) {
            this.heads = value;
            return this;
        }

        /** Order of tokens and heads in a region; {@link HeadOrder#NHD} unless set. */
        public Builder headOrder(HeadOrder value) {
            this.headOrder = value;
            return this;
        }

        /** How blocks are identified; SHA-256 unless set. */
        public Builder identityKind(IdentityKind value) {
            this.identityKind = value;
            return this;
        }

        /** The configuration. */
        public KvManagerModelConfig build() {
            return new KvManagerModelConfig(required("numLayers", numLayers), outerDim, required("pageSize", pageSize),
                    required("innerDim", innerDim), dtype, heads, headOrder, identityKind, null);
        }

        private static int required(String name, @Nullable Integer value) {
            if (value == null) {
                throw new ConfigException(ConfigException.Kind.MISSING,
                        name + " is missing; take it from the model's configuration");
            }
            return value;
        }
    }
}
