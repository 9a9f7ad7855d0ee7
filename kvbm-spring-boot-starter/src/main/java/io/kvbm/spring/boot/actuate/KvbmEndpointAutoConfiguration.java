package io.kvbm.spring.boot.actuate;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.actuate.autoconfigure.endpoint.condition.ConditionalOnAvailableEndpoint;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.spring.boot.discovery.KvbmCluster;

/** Shows the block manager under {@code /actuator/kvbm}, where there is actuator. */
@AutoConfiguration(after = KvbmAutoConfiguration.class)
@ConditionalOnClass(ConditionalOnAvailableEndpoint.class)
@ConditionalOnAvailableEndpoint(KvbmEndpoint.class)
@ConditionalOnBooleanProperty(name = "kvbm.enabled", matchIfMissing = true)
@ConditionalOnSingleCandidate(KvBlockManager.class)
public final class KvbmEndpointAutoConfiguration {

    @Bean
    @ConditionalOnMissingBean
    KvbmEndpoint kvbmEndpoint(KvBlockManager manager, ObjectProvider<KvbmCluster> cluster) {
        return new KvbmEndpoint(manager, cluster);
    }
}
