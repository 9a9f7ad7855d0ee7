package io.kvbm.spring.boot.metrics;

import io.micrometer.core.instrument.MeterRegistry;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.spring.boot.discovery.KvbmCluster;

/** Counts what the block manager does, where there is Micrometer. */
@AutoConfiguration(after = KvbmAutoConfiguration.class)
@ConditionalOnClass(MeterRegistry.class)
@ConditionalOnBooleanProperty(name = "kvbm.enabled", matchIfMissing = true)
@ConditionalOnSingleCandidate(KvBlockManager.class)
public final class KvbmMetricsAutoConfiguration {

    @Bean
    @ConditionalOnMissingBean
    KvbmMetrics kvbmMetrics(KvBlockManager manager, ObjectProvider<KvbmCluster> cluster) {
        return new KvbmMetrics(manager, cluster);
    }
}
