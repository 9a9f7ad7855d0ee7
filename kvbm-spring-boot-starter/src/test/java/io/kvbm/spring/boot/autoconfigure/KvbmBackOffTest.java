package io.kvbm.spring.boot.autoconfigure;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.annotation.ImportCandidates;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.annotation.Order;
import org.springframework.util.ClassUtils;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.cuda.CudaDevice;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.storage.HostAllocator;
import io.kvbm.token.ModelIdentity;

import static org.assertj.core.api.Assertions.assertThat;

class KvbmBackOffTest {

    private static final Class<?>[] OURS = ImportCandidates
            .load(AutoConfiguration.class, null)
            .getCandidates()
            .stream()
            .filter(name -> name.startsWith("io.kvbm."))
            .map(name -> ClassUtils.resolveClassName(name, null))
            .toArray(Class<?>[]::new);

    private final ApplicationContextRunner plain = new ApplicationContextRunner();
    private final ApplicationContextRunner runner = plain.withConfiguration(AutoConfigurations.of(OURS));

    @Test
    void switchedOffItAddsNoBeanAtAll() {
        assertThat(OURS).hasSize(7);
        runner.withPropertyValues(
                SmallCache.properties("kvbm.enabled=false",
                        "management.endpoints.web.exposure.include=*"))
                .run(context -> plain.run(empty -> assertThat(context.getBeanDefinitionNames())
                        .containsExactlyInAnyOrder(empty.getBeanDefinitionNames())));
    }

    @Test
    void switchedOffAWholeApplicationHasTheBeansOfOneWithoutTheStarter() {
        assertThat(beans("--kvbm.enabled=false")).containsExactlyElementsOf(beans("--spring.autoconfigure.exclude="
                + Arrays.stream(OURS).map(Class::getName).collect(Collectors.joining(","))));
    }

    private static Set<String> beans(String argument) {
        try (ConfigurableApplicationContext context = SpringApplication.run(Application.class, argument,
                "--server.port=0", "--management.endpoints.web.exposure.include=*")) {
            return new TreeSet<>(Set.of(context.getBeanDefinitionNames()));
        }
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {}

    @Test
    void switchedOffItLeavesTheApplicationsOwnManagerAlone() {
        runner.withPropertyValues("kvbm.enabled=false", "management.endpoints.web.exposure.include=*")
                .withUserConfiguration(OwnManager.class)
                .run(context -> plain.withUserConfiguration(OwnManager.class)
                        .run(empty -> assertThat(context.getBeanDefinitionNames())
                                .containsExactlyInAnyOrder(empty.getBeanDefinitionNames())));
    }

    @Test
    void theApplicationsManagerTakesThePlaceOfOurs() {
        runner.withUserConfiguration(OwnManager.class).run(context -> {
            assertThat(context).hasNotFailed()
                    .doesNotHaveBean(KvBlockManagerConfig.class)
                    .doesNotHaveBean(HostAllocator.class)
                    .doesNotHaveBean(CudaDevice.class)
                    .hasSingleBean(KvbmLifecycle.class);
            assertThat(context.getBean(KvBlockManager.class).workerId()).isEqualTo(99);
        });
    }

    @Test
    void twoManagersAreTheApplicationsOwnAffair() {
        runner.withUserConfiguration(OwnManager.class)
                .withBean("second", KvBlockManager.class, () -> new KvBlockManager(config(100)))
                .withPropertyValues("management.endpoints.web.exposure.include=*")
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(KvbmLifecycle.class));
    }

    @Test
    void theApplicationsConfigurationTakesThePlaceOfOurs() {
        runner.withBean("own", KvBlockManagerConfig.class, () -> config(98)).run(context -> {
            assertThat(context).hasNotFailed()
                    .hasSingleBean(KvBlockManagerConfig.class)
                    .doesNotHaveBean(HostAllocator.class);
            assertThat(context.getBean(KvBlockManager.class).workerId()).isEqualTo(98);
        });
    }

    @Test
    void theApplicationsAllocatorTakesThePlaceOfOurs() {
        HostAllocator own = HostAllocator.builder().shared(false).build();
        runner.withPropertyValues(SmallCache.properties()).withBean(HostAllocator.class, () -> own).run(context -> {
            assertThat(context).getBean(HostAllocator.class).isSameAs(own);
            assertThat(context.getBean(KvBlockManager.class).host().orElseThrow().blocks().ranges())
                    .singleElement()
                    .satisfies(range -> assertThat(range.shared()).isFalse());
        });
    }

    @Test
    void customizersAreAppliedInTheirOrderAfterTheProperties() {
        runner.withPropertyValues(SmallCache.properties("kvbm.events.capacity=16"))
                .withUserConfiguration(Customizers.class)
                .run(context -> {
                    assertThat(context.getBean(Customizers.class).calls).containsExactly("first", "second");
                    assertThat(context.getBean(KvBlockManagerConfig.class).eventCapacity()).isEqualTo(64);
                });
    }

    @Test
    void aModelIdentityBeanNeedsNoGeometryInProperties() {
        runner.withPropertyValues("kvbm.host.blocks=8")
                .withBean(ModelIdentity.class, SmallCache::identity)
                .run(context -> assertThat(context.getBean(KvBlockManager.class).model())
                        .isEqualTo(KvManagerModelConfig.of(SmallCache.identity())));
    }

    @Test
    void propertiesThatAgreeWithTheModelIdentityBeanAreFine() {
        runner.withPropertyValues(SmallCache.properties("kvbm.model.id=small", "kvbm.model.revision=r1",
                "kvbm.model.adapter=tuned@3", "kvbm.model.dtype=bf16", "kvbm.model.outer=2",
                "kvbm.model.head-order=nhd",
                "kvbm.model.rank-layout=tp0of2", "kvbm.identity=sha256"))
                .withBean(ModelIdentity.class, SmallCache::identity)
                .run(context -> assertThat(context.getBean(KvBlockManager.class).fingerprint())
                        .isEqualTo(SmallCache.identity().fingerprint()));
    }

    @ParameterizedTest
    @CsvSource({"model.id, other", "model.revision, other", "model.adapter, other", "model.dtype, FP8",
        "model.layers, 3", "model.outer, 1", "model.heads, 3", "model.head-dim, 9", "model.head-order, HND",
        "model.page-size, 8", "model.rank-layout, other", "identity, XXH3"})
    void aPropertyThatDiffersFromTheModelIdentityBeanIsNamed(String property, String value) {
        runner.withPropertyValues(SmallCache.properties("kvbm." + property + "=" + value))
                .withBean(ModelIdentity.class, SmallCache::identity)
                .run(context -> assertThat(context).getFailure()
                        .rootCause()
                        .isInstanceOf(InvalidKvbmPropertyException.class)
                        .hasMessageStartingWith("kvbm." + property + " is " + value + ", but")
                        .extracting(e -> ((InvalidKvbmPropertyException) e).property())
                        .isEqualTo("kvbm." + property));
    }

    private static KvBlockManagerConfig config(long worker) {
        return KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(worker).build())
                .model(KvManagerModelConfig.of(SmallCache.identity()))
                .hostLayout(KvManagerLayoutConfig.builder().numBlocks(4).allocator(HostAllocator.create()).build())
                .build();
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnManager {

        @Bean
        KvBlockManager ownManager() {
            return new KvBlockManager(config(99));
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Customizers {

        private final List<String> calls = new ArrayList<>();

        @Bean
        @Order(2)
        KvBlockManagerConfigCustomizer second() {
            return config -> {
                calls.add("second");
                config.eventCapacity(64);
            };
        }

        @Bean
        @Order(1)
        KvBlockManagerConfigCustomizer first() {
            return config -> {
                calls.add("first");
                config.eventCapacity(32);
            };
        }
    }
}
