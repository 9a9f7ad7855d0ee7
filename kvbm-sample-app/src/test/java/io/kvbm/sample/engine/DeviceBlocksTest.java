package io.kvbm.sample.engine;

import java.time.Duration;

import org.junit.jupiter.api.Test;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.storage.HostAllocator;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

class DeviceBlocksTest {

    @Test
    void aManagerThatKeepsSequencesOnAGpuIsRefused() {
        try (EngineFixture fixture = new EngineFixture(4);
                KvBlockManager manager = KvBlockManager.create(KvBlockManagerConfig.builder()
                        .runtime(KvManagerRuntimeConfig.builder().workerId(8).build())
                        .model(KvManagerModelConfig.of(fixture.decoder.config().identity(EngineFixture.PAGE)))
                        .hostLayout(blocks())
                        .deviceLayout(blocks())
                        .build())) {
            assertThatThrownBy(() -> new CompletionEngine(manager, fixture.decoder, fixture.tokenizer,
                    new EngineLimits(Duration.ofSeconds(1), 1, 1, 1)).close())
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("on a GPU")
                    .hasMessageContaining("kvbm.device.size");
        }
    }

    private static KvManagerLayoutConfig blocks() {
        return KvManagerLayoutConfig.builder().numBlocks(4).allocator(HostAllocator.create()).build();
    }
}
