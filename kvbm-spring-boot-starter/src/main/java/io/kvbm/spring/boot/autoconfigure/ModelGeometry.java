package io.kvbm.spring.boot.autoconfigure;

import java.util.Objects;

import org.jspecify.annotations.Nullable;

import io.kvbm.KvManagerModelConfig;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.spring.boot.autoconfigure.KvbmProperties.Model;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.ModelIdentity;

/** Where the model's geometry comes from: the application's bean, or the properties; both only where they agree. */
final class ModelGeometry {

    private static final String SUPPLY = "Set it from the model's configuration, supply a ModelIdentity bean, or set"
            + " kvbm.enabled=false.";

    private static final String TOGETHER = "Set kvbm.model.id and kvbm.model.revision together, or neither.";

    private final Model model;
    private final @Nullable IdentityKind identity;

    ModelGeometry(KvbmProperties properties) {
        this.model = properties.model();
        this.identity = properties.identity();
    }

    KvManagerModelConfig resolve(@Nullable ModelIdentity bean) {
        if (bean != null) {
            requireAgreement(bean);
            return KvManagerModelConfig.of(bean);
        }
        int layers = required("layers", model.layers());
        int heads = required("heads", model.heads());
        int headDim = required("head-dim", model.headDim());
        int pageSize = required("page-size", model.pageSize());
        int outer = positive("outer", Objects.requireNonNullElse(model.outer(), 2));
        DType dtype = Objects.requireNonNullElse(model.dtype(), DType.FP16);
        IdentityKind kind = Objects.requireNonNullElse(identity, IdentityKind.SHA256);
        if ((long) heads * headDim > Integer.MAX_VALUE) {
            throw new InvalidKvbmPropertyException("kvbm.model.heads",
                    "is " + heads + " and kvbm.model.head-dim is " + headDim + ", together over " + Integer.MAX_VALUE
                            + " elements per token",
                    "Set both from the model's configuration.");
        }
        if (model.id() == null && model.revision() == null) {
            requireUnset("adapter", model.adapter());
            requireUnset("head-order", model.headOrder());
            requireUnset("rank-layout", model.rankLayout());
            return KvManagerModelConfig.builder()
                    .numLayers(layers)
                    .outerDim(outer)
                    .pageSize(pageSize)
                    .innerDim(heads * headDim)
                    .heads(heads)
                    .dtype(dtype)
                    .identityKind(kind)
                    .build();
        }
        return KvManagerModelConfig.of(ModelIdentity.builder()
                .modelId(required("id", model.id()))
                .revision(required("revision", model.revision()))
                .adapter(Objects.requireNonNullElse(model.adapter(), ""))
                .dtype(dtype.name())
                .layers(layers)
                .outer(outer)
                .heads(heads)
                .headDim(headDim)
                .headOrder(Objects.requireNonNullElse(model.headOrder(), HeadOrder.NHD))
                .pageSize(pageSize)
                .rankLayout(Objects.requireNonNullElse(model.rankLayout(), ""))
                .identityKind(kind)
                .build());
    }

    private void requireAgreement(ModelIdentity bean) {
        agree("model.id", model.id(), bean.modelId());
        agree("model.revision", model.revision(), bean.revision());
        agree("model.adapter", model.adapter(), bean.adapter());
        agree("model.dtype", model.dtype() == null ? null : model.dtype().name(), bean.dtype());
        agree("model.layers", model.layers(), bean.layers());
        agree("model.outer", model.outer(), bean.outer());
        agree("model.heads", model.heads(), bean.heads());
        agree("model.head-dim", model.headDim(), bean.headDim());
        agree("model.head-order", model.headOrder(), bean.headOrder());
        agree("model.page-size", model.pageSize(), bean.pageSize());
        agree("model.rank-layout", model.rankLayout(), bean.rankLayout());
        agree("identity", identity, bean.identityKind());
    }

    private static void agree(String property, @Nullable Object value, Object ofBean) {
        if (value != null && !value.equals(ofBean)) {
            throw new InvalidKvbmPropertyException("kvbm." + property,
                    "is " + value + ", but the application's ModelIdentity bean says " + ofBean,
                    "Remove kvbm." + property + ": the application knows its model.");
        }
    }

    private static String required(String name, @Nullable String value) {
        if (value == null || value.isBlank()) {
            throw InvalidKvbmPropertyException.missing("kvbm.model." + name, TOGETHER);
        }
        return value;
    }

    /** It would change the fingerprint of a model with a name, and a model without one has none. */
    private static void requireUnset(String name, @Nullable Object value) {
        if (value != null) {
            throw new InvalidKvbmPropertyException("kvbm.model." + name,
                    "is " + value + ", but the model it belongs to has no name",
                    "Set kvbm.model.id and kvbm.model.revision too, or remove kvbm.model." + name + ".");
        }
    }

    private static int required(String name, @Nullable Integer value) {
        if (value == null) {
            throw InvalidKvbmPropertyException.missing("kvbm.model." + name, SUPPLY);
        }
        return positive(name, value);
    }

    private static int positive(String name, int value) {
        if (value < 1) {
            throw new InvalidKvbmPropertyException("kvbm.model." + name, "is " + value + ", below its minimum of 1",
                    "Set it from the model's configuration.");
        }
        return value;
    }
}
