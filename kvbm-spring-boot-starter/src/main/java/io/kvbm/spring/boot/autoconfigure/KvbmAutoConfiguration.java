package io.kvbm.spring.boot.autoconfigure;

import java.security.SecureRandom;
import java.time.Duration;

import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.autoconfigure.context.LifecycleProperties;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.cuda.CudaDevice;
import io.kvbm.storage.HostAllocator;
import io.kvbm.tier.TierLimits;
import io.kvbm.token.ModelIdentity;
import io.kvbm.transfer.TransferObserver;

/** Makes a {@link KvBlockManager} from the properties under {@code kvbm} and the application's own beans. */
@AutoConfiguration
@ConditionalOnBooleanProperty(name = "kvbm.enabled", matchIfMissing = true)
@EnableConfigurationProperties(KvbmProperties.class)
public final class KvbmAutoConfiguration {

    private static final Duration LONGEST = Duration.ofDays(1);

    /** There before everything that lies on it or is moved by it, and so closed after. */
    @Bean
    @ConditionalOnMissingBean({CudaDevice.class, KvBlockManagerConfig.class, KvBlockManager.class})
    @Nullable
    CudaDevice kvbmCudaDevice(KvbmProperties properties) {
        return new DeviceLevel(properties.device()).open();
    }

    @Bean
    @ConditionalOnMissingBean({HostAllocator.class, KvBlockManagerConfig.class, KvBlockManager.class})
    HostAllocator kvbmHostAllocator(KvbmProperties properties, @Nullable CudaDevice device) {
        HostAllocator.Builder allocator = HostAllocator.builder()
                .hugePages(properties.host().hugePages())
                .shared(properties.host().shared());
        if (device != null) {
            allocator.pinning(device.pinning());
        }
        return allocator.build();
    }

    @Bean
    @ConditionalOnMissingBean({KvManagerRuntimeConfig.class, KvBlockManagerConfig.class, KvBlockManager.class})
    KvManagerRuntimeConfig kvManagerRuntimeConfig(KvbmProperties properties) {
        return KvManagerRuntimeConfig.builder().workerId(workerId(properties.workerId())).build();
    }

    @Bean
    @ConditionalOnMissingBean({KvBlockManagerConfig.class, KvBlockManager.class})
    KvBlockManagerConfig kvBlockManagerConfig(KvbmProperties properties, KvManagerRuntimeConfig runtime,
            HostAllocator allocator, @Nullable CudaDevice device, ObjectProvider<ModelIdentity> identity,
            ObjectProvider<KvManagerSharingConfig> sharing, ObjectProvider<TransferObserver> observer,
            ObjectProvider<KvBlockManagerConfigCustomizer> customizers) {
        KvManagerModelConfig model = new ModelGeometry(properties).resolve(identity.getIfAvailable());
        KvBlockManagerConfig.Builder config = KvBlockManagerConfig.builder()
                .runtime(runtime)
                .model(model)
                .hostLayout(hostLayout(properties.host(), model, allocator))
                .tierLimits(tierLimits(properties.tier()))
                .reusePolicy(properties.reuse())
                .leakDetection(properties.leakDetection())
                .eventCapacity(eventCapacity(properties.events().capacity()))
                .transferTimeout(timeout("kvbm.transfer.timeout", properties.transfer().timeout()))
                .checkTransferAddresses(properties.transfer().checkAddresses());
        new DeviceLevel(properties.device()).configure(config, model, device);
        observer.ifAvailable(config::transferObserver);
        if (model.fingerprint() != null) {
            sharing.ifAvailable(config::sharing); // nobody else could use what a model without a name has computed
        }
        customizers.orderedStream().forEach(customizer -> customizer.customize(config));
        return config.build();
    }

    @Bean
    @ConditionalOnMissingBean
    KvBlockManager kvBlockManager(KvBlockManagerConfig config) {
        return new KvBlockManager(config);
    }

    @Bean
    @ConditionalOnMissingBean
    @ConditionalOnSingleCandidate(KvBlockManager.class)
    KvbmLifecycle kvbmLifecycle(KvBlockManager manager, KvbmProperties properties,
            ObjectProvider<StartupNote> notes) {
        return new KvbmLifecycle(manager, drainTimeout(properties.shutdown().drainTimeout()), notes);
    }

    @Bean
    @ConditionalOnMissingBean
    @ConditionalOnSingleCandidate(KvBlockManager.class)
    KvbmWithdrawal kvbmWithdrawal(KvBlockManager manager, KvbmProperties properties,
            ObjectProvider<LifecycleProperties> lifecycle) {
        Duration delay = delay(properties.shutdown().delay());
        return new KvbmWithdrawal(manager, delay == null ? KvbmWithdrawal.DELAY : delay,
                delay == null ? Duration.ZERO : delay,
                lifecycle.getIfAvailable(LifecycleProperties::new).getTimeoutPerShutdownPhase());
    }

    private static KvManagerLayoutConfig hostLayout(KvbmProperties.Host host, KvManagerModelConfig model,
            HostAllocator allocator) {
        return KvManagerLayoutConfig.builder()
                .numBlocks(LevelSize.of(host).blocksOf(model))
                .layoutType(host.layout())
                .alignment(host.alignment())
                .allocator(allocator)
                .build();
    }

    private static TierLimits tierLimits(KvbmProperties.Tier tier) {
        return new TierLimits(positive("kvbm.tier.offload-pending-blocks", tier.offloadPendingBlocks()),
                positive("kvbm.tier.offload-batch-blocks", tier.offloadBatchBlocks()),
                timeout("kvbm.tier.onboard-timeout", tier.onboardTimeout()));
    }

    private static int positive(String property, int value) {
        if (value < 1) {
            throw new InvalidKvbmPropertyException(property, "is " + value + ", below its minimum of 1",
                    "Set at least 1.");
        }
        return value;
    }

    private static int eventCapacity(int capacity) {
        if (capacity < 1 || Integer.bitCount(capacity) != 1) {
            throw new InvalidKvbmPropertyException("kvbm.events.capacity", "is " + capacity, "Set a power of two.");
        }
        return capacity;
    }

    private static Duration timeout(String property, Duration timeout) {
        if (!timeout.isPositive() || timeout.compareTo(LONGEST) > 0) {
            throw new InvalidKvbmPropertyException(property, "is " + timeout,
                    "Set more than nothing and at most a day.");
        }
        return timeout;
    }

    private static @Nullable Duration delay(@Nullable Duration delay) {
        if (delay != null && (delay.isNegative() || delay.compareTo(LONGEST) > 0)) {
            throw new InvalidKvbmPropertyException("kvbm.shutdown.delay", "is " + delay,
                    "Set 0s, to stop at once, to a day.");
        }
        return delay;
    }

    private static Duration drainTimeout(Duration timeout) {
        if (timeout.isNegative() || timeout.compareTo(LONGEST) > 0) {
            throw new InvalidKvbmPropertyException("kvbm.shutdown.drain-timeout", "is " + timeout,
                    "Set 0s, to close without waiting, to a day.");
        }
        return timeout;
    }

    private static long workerId(@Nullable String configured) {
        if (configured == null) {
            long random = new SecureRandom().nextLong();
            return random == 0 ? 1 : random;
        }
        try {
            if (configured.matches("\\d+")) {
                return Long.parseUnsignedLong(configured);
            }
        } catch (NumberFormatException _) {
            // refused below
        }
        throw new InvalidKvbmPropertyException("kvbm.worker-id", "is '" + configured + "'",
                "Set an unsigned 64-bit decimal number, different for every instance, or leave it out.");
    }
}
