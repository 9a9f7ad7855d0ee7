package io.kvbm.spring.boot.autoconfigure;

import io.kvbm.KvBlockManagerConfig;

/** Changes the block manager's configuration after the properties were applied to it. */
@FunctionalInterface
public interface KvBlockManagerConfigCustomizer {

    /** Changes the configuration. */
    void customize(KvBlockManagerConfig.Builder config);
}
