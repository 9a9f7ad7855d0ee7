package io.kvbm.spring.boot.metrics;

import io.micrometer.observation.ObservationRegistry;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Bean;

import io.kvbm.transfer.TransferObserver;

/** Observes copies between levels and from peers, where there is an {@link ObservationRegistry}. */
@AutoConfiguration(afterName = "org.springframework.boot.micrometer.observation.autoconfigure.ObservationAutoConfiguration")
@ConditionalOnClass(ObservationRegistry.class)
@ConditionalOnBooleanProperty(name = "kvbm.enabled", matchIfMissing = true)
@ConditionalOnBean(ObservationRegistry.class)
public final class KvbmObservationAutoConfiguration {

    @Bean
    @ConditionalOnMissingBean(TransferObserver.class)
    TransferObservations kvbmTransferObservations(ObservationRegistry registry) {
        return new TransferObservations(registry);
    }
}
