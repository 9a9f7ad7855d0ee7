package io.kvbm.spring.boot.actuate;

import org.springframework.boot.actuate.autoconfigure.info.ConditionalOnEnabledInfoContributor;
import org.springframework.boot.actuate.info.InfoContributor;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;

/** Adds the block manager to {@code /actuator/info}, where there is actuator. */
@AutoConfiguration(after = KvbmAutoConfiguration.class)
@ConditionalOnClass({InfoContributor.class, ConditionalOnEnabledInfoContributor.class})
@ConditionalOnBooleanProperty(name = "kvbm.enabled", matchIfMissing = true)
@ConditionalOnSingleCandidate(KvBlockManager.class)
@ConditionalOnEnabledInfoContributor("kvbm")
public final class KvbmInfoContributorAutoConfiguration {

    @Bean
    @ConditionalOnMissingBean
    KvbmInfoContributor kvbmInfoContributor(KvBlockManager manager) {
        return new KvbmInfoContributor(manager);
    }
}
