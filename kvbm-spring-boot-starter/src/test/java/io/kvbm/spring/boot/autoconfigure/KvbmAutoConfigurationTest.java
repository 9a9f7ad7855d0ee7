package io.kvbm.spring.boot.autoconfigure;

import java.time.Duration;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.LeakDetection;
import io.kvbm.pool.ReusePolicy;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.storage.HugePages;
import io.kvbm.storage.StorageType;
import io.kvbm.tier.TierLimits;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.ModelIdentity;

import static org.assertj.core.api.Assertions.assertThat;

class KvbmAutoConfigurationTest {

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class));

    @Test
    void geometryReachesTheManager() {
        runner.withPropertyValues(SmallCache.properties("kvbm.model.outer=1", "kvbm.model.dtype=FP32"))
                .run(context -> {
                    KvBlockManager manager = context.getBean(KvBlockManager.class);
                    assertThat(manager.model()).isEqualTo(KvManagerModelConfig.builder()
                            .numLayers(2)
                            .outerDim(1)
                            .pageSize(4)
                            .innerDim(16)
                            .heads(2)
                            .dtype(DType.FP32)
                            .identityKind(IdentityKind.SHA256)
                            .build());
                    assertThat(manager.host().orElseThrow().totalBlocks()).isEqualTo(64);
                });
    }

    @Test
    void unsetPropertiesHaveTheirDefaults() {
        runner.withPropertyValues(SmallCache.properties()).run(context -> {
            KvBlockManagerConfig config = context.getBean(KvBlockManagerConfig.class);
            assertThat(config.model().outerDim()).isEqualTo(2);
            assertThat(config.model().dtype()).isEqualTo(DType.FP16);
            assertThat(config.model().identityKind()).isEqualTo(IdentityKind.SHA256);
            assertThat(config.model().fingerprint()).isNull();
            assertThat(config.reusePolicy()).isEqualTo(ReusePolicy.LINEAGE);
            assertThat(config.leakDetection()).isEqualTo(LeakDetection.SAMPLED);
            assertThat(config.eventCapacity()).isEqualTo(65536);
            assertThat(config.transferTimeout()).isEqualTo(Duration.ofSeconds(30));
            assertThat(config.checkTransferAddresses()).isFalse();
            assertThat(config.tierLimits()).isEqualTo(TierLimits.DEFAULT);
            assertThat(config.deviceLayout()).isNull();
            assertThat(config.engines()).isEmpty();
        });
    }

    @Test
    void everySettingReachesTheManager() {
        runner.withPropertyValues(SmallCache.properties("kvbm.identity=xxh3", "kvbm.reuse=priority",
                "kvbm.leak-detection=full", "kvbm.events.capacity=1024", "kvbm.transfer.timeout=5s",
                "kvbm.transfer.check-addresses=true", "kvbm.tier.offload-pending-blocks=9",
                "kvbm.tier.offload-batch-blocks=3", "kvbm.tier.onboard-timeout=2s",
                "kvbm.host.layout=layer-separate-outer-first",
                "kvbm.host.alignment=4096", "kvbm.host.huge-pages=false", "kvbm.host.shared=false")).run(context -> {
                    KvBlockManagerConfig config = context.getBean(KvBlockManagerConfig.class);
                    assertThat(config.reusePolicy()).isEqualTo(ReusePolicy.PRIORITY);
                    assertThat(config.leakDetection()).isEqualTo(LeakDetection.FULL);
                    assertThat(config.eventCapacity()).isEqualTo(1024);
                    assertThat(config.transferTimeout()).isEqualTo(Duration.ofSeconds(5));
                    assertThat(config.checkTransferAddresses()).isTrue();
                    assertThat(config.tierLimits()).isEqualTo(new TierLimits(9, 3, Duration.ofSeconds(2)));
                    KvBlockManager manager = context.getBean(KvBlockManager.class);
                    assertThat(manager.host().orElseThrow().identity()).isEqualTo(IdentityKind.XXH3);
                    BlockLayout layout = manager.host().orElseThrow().blocks().layout();
                    assertThat(layout.type()).isEqualTo(LayoutType.LAYER_SEPARATE_OUTER_FIRST);
                    assertThat(layout.config().alignment()).isEqualTo(4096);
                    assertThat(manager.host().orElseThrow().blocks().ranges())
                            .hasSize(2)
                            .allSatisfy(range -> {
                                assertThat(range.type()).isEqualTo(new StorageType.System());
                                assertThat(range.shared()).isFalse();
                                assertThat(range.pages()).isEqualTo(HugePages.NONE);
                            });
                });
    }

    @ParameterizedTest
    @CsvSource({
        // blocks fit exactly, all but one byte, and one more byte
        "1, fully-contiguous, 5120B, 10", "1, fully-contiguous, 5119B, 9", "1, fully-contiguous, 5121B, 10",
        // each block of 512 bytes takes a page
        "4096, fully-contiguous, 40960B, 10", "4096, fully-contiguous, 40959B, 9",
        // two storages, a page per block in each
        "4096, layer-separate, 81920B, 10", "4096, layer-separate, 81919B, 9"})
    void aSizeHoldsAsManyBlocksAsFitWithTheirPadding(int alignment, String layout, String size, int blocks) {
        runner.withPropertyValues(SmallCache.geometry())
                .withPropertyValues("kvbm.host.size=" + size, "kvbm.host.alignment=" + alignment,
                        "kvbm.host.layout=" + layout)
                .run(context -> assertThat(context.getBean(KvBlockManager.class).host().orElseThrow().totalBlocks())
                        .isEqualTo(blocks));
    }

    @Test
    void aWorkerIdIsAnUnsigned64BitNumber() {
        runner.withPropertyValues(SmallCache.properties("kvbm.worker-id=18446744073709551615"))
                .run(context -> assertThat(context.getBean(KvBlockManager.class).workerId()).isEqualTo(-1L));
    }

    @Test
    void anUnsetWorkerIdIsDrawnAtRandom() {
        runner.withPropertyValues(SmallCache.geometry())
                .withPropertyValues("kvbm.host.blocks=1")
                .run(first -> runner.withPropertyValues(SmallCache.geometry())
                        .withPropertyValues("kvbm.host.blocks=1")
                        .run(second -> assertThat(first.getBean(KvBlockManager.class).workerId()).isNotZero()
                                .isNotEqualTo(second.getBean(KvBlockManager.class).workerId())));
    }

    @Test
    void aNamedModelHasTheFingerprintOfItsIdentity() {
        runner.withPropertyValues(SmallCache.properties("kvbm.model.id=small", "kvbm.model.revision=r1",
                "kvbm.model.adapter=tuned@3", "kvbm.model.dtype=BF16", "kvbm.model.head-order=HND",
                "kvbm.model.rank-layout=tp0of2", "kvbm.identity=xxh3")).run(context -> {
                    ModelIdentity expected = ModelIdentity.builder()
                            .modelId("small")
                            .revision("r1")
                            .adapter("tuned@3")
                            .dtype("BF16")
                            .layers(2)
                            .outer(2)
                            .heads(2)
                            .headDim(8)
                            .headOrder(HeadOrder.HND)
                            .pageSize(4)
                            .rankLayout("tp0of2")
                            .identityKind(IdentityKind.XXH3)
                            .build();
                    assertThat(context.getBean(KvBlockManager.class).fingerprint()).isEqualTo(expected.fingerprint());
                });
    }
}
