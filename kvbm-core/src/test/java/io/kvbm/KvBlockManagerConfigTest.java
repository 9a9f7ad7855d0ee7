package io.kvbm;

import java.time.Duration;
import java.util.List;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.ConfigException;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.NullStorage;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.ModelIdentity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class KvBlockManagerConfigTest {

    private static KvManagerModelConfig.Builder model() {
        return KvManagerModelConfig.builder().numLayers(3).pageSize(4).innerDim(16);
    }

    private static KvManagerLayoutConfig.Builder layout() {
        return KvManagerLayoutConfig.builder().numBlocks(16);
    }

    private static KvBlockManagerConfig.Builder config() {
        return KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(1).build())
                .model(model().build());
    }

    private static void assertKind(ConfigException.Kind kind, String part, ThrowingCallable call) {
        assertThatThrownBy(call).hasMessageContaining(part)
                .asInstanceOf(type(ConfigException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    @Test
    @DisplayName("section 3: required values are named, the others have defaults")
    void missingValues() {
        ConfigException.Kind missing = ConfigException.Kind.MISSING;
        assertKind(missing, "workerId is missing", KvManagerRuntimeConfig.builder()::build);
        assertKind(missing, "numLayers is missing", KvManagerModelConfig.builder()::build);
        assertKind(missing, "pageSize is missing", KvManagerModelConfig.builder().numLayers(1)::build);
        assertKind(missing, "innerDim is missing", KvManagerModelConfig.builder().numLayers(1).pageSize(1)::build);
        assertKind(missing, "runtime is missing", KvBlockManagerConfig.builder()::build);
        assertKind(missing, "model is missing", KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(1).build())::build);
        KvManagerModelConfig model = model().build();
        assertThat(model.dtype()).isEqualTo(DType.FP16);
        assertThat(model.outerDim()).isOne();
        assertThat(model.identityKind()).isEqualTo(IdentityKind.SHA256);
        KvManagerLayoutConfig layout = layout().allocator(HostAllocator.create()).build();
        assertThat(layout.layoutType()).isEqualTo(LayoutType.FULLY_CONTIGUOUS);
        assertThat(layout.alignment()).isOne();
        assertThat(config().build().hostLayout()).isNull();
        assertThat(KvManagerRuntimeConfig.builder().workerId(-1).build().cancellationToken().isCancelled()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, Integer.MIN_VALUE})
    @DisplayName("CFG-5: numbers below 1 are named")
    void numbersBelowOne(int bad) {
        ConfigException.Kind invalid = ConfigException.Kind.INVALID;
        assertKind(invalid, "numLayers is " + bad, model().numLayers(bad)::build);
        assertKind(invalid, "outerDim is " + bad, model().outerDim(bad)::build);
        assertKind(invalid, "pageSize is " + bad, model().pageSize(bad)::build);
        assertKind(invalid, "innerDim is " + bad, model().innerDim(bad)::build);
        assertKind(invalid, "numBlocks is " + bad, layout().numBlocks(bad).allocator(HostAllocator.create())::build);
        assertKind(invalid, "alignment is " + bad, layout().alignment(bad).allocator(HostAllocator.create())::build);
        assertKind(invalid, "eventCapacity is " + bad, config().eventCapacity(bad)::build);
        assertKind(invalid, "transferTimeout is PT", config().transferTimeout(Duration.ofSeconds(bad))::build);
    }

    @Test
    @DisplayName("CFG-3: the alignment can be set and is a power of two; so is the number of events")
    void powersOfTwo() {
        assertKind(ConfigException.Kind.INVALID, "alignment is 3",
                layout().alignment(3).allocator(HostAllocator.create())::build);
        assertThat(layout().alignment(256).allocator(HostAllocator.create()).build().alignment()).isEqualTo(256);
        assertKind(ConfigException.Kind.INVALID, "eventCapacity is 1000", config().eventCapacity(1000)::build);
    }

    @Test
    @DisplayName("CFG-1, D22: exactly one of storage and allocator; absent storage is not set")
    void oneSourceOfMemory() {
        ConfigException.Kind invalid = ConfigException.Kind.INVALID;
        assertKind(invalid, "Neither storage and allocator", layout()::build);
        assertKind(invalid, "Neither storage and allocator", layout().storage(null)::build);
        assertKind(invalid, "Both storage and allocator",
                layout().storage(List.of(NullStorage.ofSize(1))).allocator(HostAllocator.create())::build);
        assertThat(layout().storage(null).allocator(HostAllocator.create()).build().storage()).isNull();
        assertThat(layout().storage(List.of(NullStorage.ofSize(1))).build().storage()).hasSize(1);
    }

    private static ModelIdentity.Builder llama() {
        return ModelIdentity.builder()
                .modelId("llama")
                .revision("r1")
                .dtype("BF16")
                .layers(32)
                .heads(8)
                .headDim(128)
                .pageSize(16);
    }

    @Test
    void theGeometryOfAKnownModel() {
        KvManagerModelConfig config = KvManagerModelConfig.of(llama().build());
        assertThat(config)
                .isEqualTo(new KvManagerModelConfig(32, 2, 16, 1024, DType.BF16, 8, HeadOrder.NHD, IdentityKind.SHA256,
                        llama().build().fingerprint()));
    }

    @Test
    void aModelThatCannotBeLaidOutIsRefusedByName() {
        assertKind(ConfigException.Kind.INVALID, "element type int3",
                () -> KvManagerModelConfig.of(llama().dtype("int3").build()));
        assertKind(ConfigException.Kind.INVALID, "headDim 65536",
                () -> KvManagerModelConfig.of(llama().heads(1 << 16).headDim(1 << 16).build()));
    }
}
