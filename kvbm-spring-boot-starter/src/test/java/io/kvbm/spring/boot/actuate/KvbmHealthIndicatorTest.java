package io.kvbm.spring.boot.actuate;

import java.time.Duration;
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvSequence;
import io.kvbm.spring.boot.NoCluster;
import io.kvbm.spring.boot.RefusedMemory;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.storage.HostAllocator;

import static org.assertj.core.api.Assertions.assertThat;

class KvbmHealthIndicatorTest {

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(
                    AutoConfigurations.of(KvbmAutoConfiguration.class, KvbmHealthContributorAutoConfiguration.class))
            .withPropertyValues(SmallCache.properties());

    @Test
    void aCacheThatCanBeUsedIsUpAndTellsItsSizes() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()));
                KvSequence _ = manager.open(new int[]{1, 2, 3, 4, 5}, "")) {
            Health health = health(manager);
            assertThat(health.getStatus()).isEqualTo(Status.UP);
            assertThat(health.getDetails()).isEqualTo(
                    Map.of("host", Map.of("total", 4, "usable", 4, "available", 2, "held", 2)));
        }
    }

    @Test
    void aFullCacheIsUp() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()));
                KvSequence _ = manager.open(new int[16], "")) {
            assertThat(health(manager).getStatus()).isEqualTo(Status.UP);
        }
    }

    @Test
    void aDrainingCacheIsOutOfService() throws Exception {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()))) {
            assertThat(manager.drain(Duration.ZERO)).isTrue();
            assertThat(health(manager).getStatus()).isEqualTo(Status.OUT_OF_SERVICE);
        }
    }

    @Test
    void aClosedCacheIsOutOfService() {
        KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()));
        manager.close();
        assertThat(health(manager).getStatus()).isEqualTo(Status.OUT_OF_SERVICE);
    }

    @Test
    void aCacheWithoutAnyMemoryIsDownAndSaysWhy() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(size -> new RefusedMemory(size, 0)))) {
            Health health = health(manager);
            assertThat(health.getStatus()).isEqualTo(Status.DOWN);
            assertThat(health.getDetails()).containsEntry("memory", RefusedMemory.MESSAGE);
        }
    }

    @Test
    void aCacheWithSomeOfItsMemoryIsUpAndSaysWhy() {
        try (KvBlockManager manager = new KvBlockManager(
                SmallCache.config(size -> new RefusedMemory(size, 2 * SmallCache.BLOCK_BYTES)))) {
            Health health = health(manager);
            assertThat(health.getStatus()).isEqualTo(Status.UP);
            assertThat(health.getDetails()).containsEntry("memory", RefusedMemory.MESSAGE)
                    .containsEntry("host", Map.of("total", 4, "usable", 2, "available", 2, "held", 0));
        }
    }

    @Test
    void aManagerWithoutALevelIsUp() {
        try (KvBlockManager manager = new KvBlockManager(KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(1).build())
                .model(KvManagerModelConfig.of(SmallCache.identity()))
                .build())) {
            assertThat(health(manager).getStatus()).isEqualTo(Status.UP);
        }
    }

    @Test
    void itIsOneBeanWithTheNameThatBootMakesKvbmOf() {
        runner.run(context -> assertThat(context).hasSingleBean(KvbmHealthIndicator.class)
                .hasBean("kvbmHealthIndicator"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"management.health.kvbm.enabled=false", "management.health.defaults.enabled=false",
        "kvbm.enabled=false"})
    void aPropertySwitchesItOff(String property) {
        runner.withPropertyValues(property)
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(KvbmHealthIndicator.class));
    }

    private static Health health(KvBlockManager manager) {
        return new KvbmHealthIndicator(manager, NoCluster.PROVIDER).health();
    }
}
