package io.kvbm.spring.boot.actuate;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.annotation.Bean;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.spring.boot.discovery.KvbmCluster;

/** Tells the health of the block manager, where there is Boot's health module. */
@AutoConfiguration(after = KvbmAutoConfiguration.class)
@ConditionalOnClass({HealthIndicator.class, ConditionalOnEnabledHealthIndicator.class})
@ConditionalOnBooleanProperty(name = "kvbm.enabled", matchIfMissing = true)
@ConditionalOnSingleCandidate(KvBlockManager.class)
@ConditionalOnEnabledHealthIndicator("kvbm")
public final class KvbmHealthContributorAutoConfiguration {

    @Bean
    @ConditionalOnMissingBean(name = {"kvbmHealthIndicator", "kvbmHealthContributor"})
    KvbmHealthIndicator kvbmHealthIndicator(KvBlockManager manager, ObjectProvider<KvbmCluster> cluster) {
        return new KvbmHealthIndicator(manager, cluster);
    }
}
