package io.kvbm;

import org.junit.jupiter.api.Test;

import io.kvbm.error.ConfigException;
import io.kvbm.token.ModelIdentity;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

class ModelWithTooManyElementsTest {

    @Test
    void headsWhoseElementsOverflowAreRefusedByName() {
        ModelIdentity model = ModelIdentity.builder()
                .modelId("m")
                .revision("r")
                .dtype("FP16")
                .layers(1)
                .heads(1 << 16)
                .headDim(1 << 15)
                .pageSize(1)
                .build();
        assertThatThrownBy(() -> KvManagerModelConfig.of(model)).isInstanceOf(ConfigException.class)
                .hasMessageContaining("65536 heads of 32768 elements");
    }
}
