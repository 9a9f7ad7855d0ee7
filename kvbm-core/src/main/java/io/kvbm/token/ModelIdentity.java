package io.kvbm.token;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ConfigException;
import io.kvbm.error.ConfigException.Kind;
import io.kvbm.layout.HeadOrder;

/**
 * What makes the K/V content of two workers interchangeable: the model, its weights and the geometry of a block's data.
 * All of it goes into {@link #fingerprint()}; where the data lies in memory does not.
 *
 * @param modelId      name of the model; required
 * @param revision     revision of its weights; required
 * @param adapter      name and revision of an adapter (LoRA) applied to the weights; empty without one
 * @param dtype        name of the element type; required
 * @param layers       transformer layers, at least 1
 * @param outer        2 when K and V are separate regions of a layer, 1 when they are one; at least 1
 * @param heads        K/V heads held by one worker, at least 1
 * @param headDim      elements per head and token, at least 1
 * @param headOrder    order of the axes in a block
 * @param pageSize     tokens per block, at least 1
 * @param rankLayout   which part of a model that is split over several workers this one holds; empty when not split
 * @param identityKind how block identities are computed
 */
public record ModelIdentity(String modelId, String revision, String adapter, String dtype, int layers, int outer,
        int heads, int headDim, HeadOrder headOrder, int pageSize, String rankLayout, IdentityKind identityKind) {

    /** Changes with every change of the encoding below, so that versions never agree by accident. */
    private static final String ENCODING = "kvbm-content-fingerprint-1";

    /** Refuses missing text and numbers out of range, naming the value: {@link ConfigException}. */
    public ModelIdentity {
        requireText("modelId", modelId);
        requireText("revision", revision);
        requireText("dtype", dtype);
        Sha256.utf8("adapter", adapter);
        Sha256.utf8("rankLayout", rankLayout);
        requirePositive("layers", layers);
        requirePositive("outer", outer);
        requirePositive("heads", heads);
        requirePositive("headDim", headDim);
        requirePositive("pageSize", pageSize);
    }

    /** A builder; without an adapter, not split, K and V separate, {@link HeadOrder#NHD}, SHA-256 unless said. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The digest of the encoding's name and then every component in the order of its declaration, each as its length in
     * bytes (four bytes, little endian) and its bytes: text in UTF-8, numbers as four bytes little endian, enums by
     * name.
     */
    public ContentFingerprint fingerprint() {
        MessageDigest digest = Sha256.newDigest();
        Sha256.updatePrefixed(digest, ENCODING.getBytes(StandardCharsets.US_ASCII));
        put(digest, "modelId", modelId);
        put(digest, "revision", revision);
        put(digest, "adapter", adapter);
        put(digest, "dtype", dtype);
        put(digest, layers);
        put(digest, outer);
        put(digest, heads);
        put(digest, headDim);
        put(digest, "headOrder", headOrder.name());
        put(digest, pageSize);
        put(digest, "rankLayout", rankLayout);
        put(digest, "identityKind", identityKind.name());
        return ContentFingerprint.ofBytes(digest.digest());
    }

    private static void put(MessageDigest digest, String name, String value) {
        Sha256.updatePrefixed(digest, Sha256.utf8(name, value));
    }

    private static void put(MessageDigest digest, int value) {
        Sha256.updatePrefixed(digest,
                ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
    }

    private static void requireText(String name, String value) {
        if (value.isBlank()) {
            throw missing(name);
        }
        Sha256.utf8(name, value);
    }

    private static void requirePositive(String name, int value) {
        if (value < 1) {
            throw new ConfigException(Kind.INVALID, name + " is " + value + ", below its minimum of 1; correct it");
        }
    }

    private static ConfigException missing(String name) {
        return new ConfigException(Kind.MISSING,
                name + " is missing; it is part of the content fingerprint and has no default, so set it");
    }

    /** Collects the components of a {@link ModelIdentity}; {@link #build()} names what is missing or invalid. */
    public static final class Builder {

        private @Nullable String modelId;
        private @Nullable String revision;
        private String adapter = "";
        private @Nullable String dtype;
        private @Nullable Integer layers;
        private int outer = 2;
        private @Nullable Integer heads;
        private @Nullable Integer headDim;
        private HeadOrder headOrder = HeadOrder.NHD;
        private @Nullable Integer pageSize;
        private String rankLayout = "";
        private IdentityKind identityKind = IdentityKind.SHA256;

        private Builder() {}

        /** Name of the model. */
        public Builder modelId(String value) {
            modelId = value;
            return this;
        }

        /** Revision of the weights. */
        public Builder revision(String value) {
            revision = value;
            return this;
        }

        /** Adapter applied to the weights. */
        public Builder adapter(String value) {
            adapter = value;
            return this;
        }

        /** Name of the element type. */
        public Builder dtype(String value) {
            dtype = value;
            return this;
        }

        /** Transformer layers. */
        public Builder layers(int value) {
            layers = value;
            return this;
        }

        /** Regions per layer: 2 when K and V are separate. */
        public Builder outer(int value) {
            outer = value;
            return this;
        }

        /** K/V heads held by one worker. */
        public Builder heads(int value) {
            heads = value;
            return this;
        }

        /** Elements per head and token. */
        public Builder headDim(int value) {
            headDim = value;
            return this;
        }

        /** Order of the axes in a block. */
        public Builder headOrder(HeadOrder value) {
            headOrder = value;
            return this;
        }

        /** Tokens per block. */
        public Builder pageSize(int value) {
            pageSize = value;
            return this;
        }

        /** Part of a split model that this worker holds. */
        public Builder rankLayout(String value) {
            rankLayout = value;
            return this;
        }

        /** How block identities are computed. */
        public Builder identityKind(IdentityKind value) {
            identityKind = value;
            return this;
        }

        /** The identity; {@link ConfigException} when a component is missing or invalid. */
        public ModelIdentity build() {
            return new ModelIdentity(given("modelId", modelId), given("revision", revision), adapter,
                    given("dtype", dtype), given("layers", layers), outer, given("heads", heads),
                    given("headDim", headDim), headOrder, given("pageSize", pageSize), rankLayout, identityKind);
        }

        private static <T> T given(String name, @Nullable T value) {
            if (value == null) {
                throw missing(name);
            }
            return value;
        }
    }
}
