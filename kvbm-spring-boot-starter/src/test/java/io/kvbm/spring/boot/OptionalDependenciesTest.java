package io.kvbm.spring.boot;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.beans.factory.BeanClassLoaderAware;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.context.annotation.ImportCandidates;
import org.springframework.boot.convert.ApplicationConversionService;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.assertj.ApplicationContextAssertProvider;
import org.springframework.boot.test.context.runner.AbstractApplicationContextRunner;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.DeferredImportSelector;
import org.springframework.context.annotation.Import;
import org.springframework.core.type.AnnotationMetadata;
import org.springframework.util.ClassUtils;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;

/** The starter works without any of its optional dependencies, and offers what the others allow. */
@ExtendWith(OutputCaptureExtension.class)
class OptionalDependenciesTest {

    private static final String ENDPOINT = "kvbmEndpoint";
    private static final String HEALTH = "kvbmHealthIndicator";
    private static final String INFO = "kvbmInfoContributor";
    private static final String METRICS = "kvbmMetrics";
    private static final String CLUSTER = "kvbmCluster";
    private static final String OBSERVATIONS = "kvbmTransferObservations";
    private static final Set<String> EVERYTHING = Set.of(ENDPOINT, HEALTH, INFO, METRICS, CLUSTER, OBSERVATIONS);

    private static <S extends AbstractApplicationContextRunner<S, ?, ?>> S configured(S runner) {
        return runner
                .withInitializer(context -> context.getBeanFactory()
                        .setConversionService(ApplicationConversionService.getSharedInstance()))
                .withUserConfiguration(Application.class)
                // so that NIXL is looked for, and not found on a machine that has it
                .withPropertyValues(SmallCache.properties("kvbm.model.id=small", "kvbm.model.revision=r1",
                        "kvbm.cluster.key=0123456789abcdef0123456789abcdef", "kvbm.nixl.library-path=/nonexistent",
                        "management.endpoints.web.exposure.include=*"));
    }

    static Stream<Arguments> absent() {
        return Stream.of(Arguments.of("nothing", new String[0], EVERYTHING),
                Arguments.of("endpoint", new String[]{"org.springframework.boot.actuate.endpoint",
                    "org.springframework.boot.actuate.autoconfigure.endpoint"},
                        Set.of(HEALTH, INFO, METRICS, CLUSTER, OBSERVATIONS)),
                Arguments.of("actuator's auto-configuration",
                        new String[]{"org.springframework.boot.actuate.autoconfigure"},
                        Set.of(HEALTH, METRICS, CLUSTER, OBSERVATIONS)),
                Arguments.of("actuator", new String[]{"org.springframework.boot.actuate"},
                        Set.of(HEALTH, METRICS, CLUSTER, OBSERVATIONS)),
                Arguments.of("health", new String[]{"org.springframework.boot.health"},
                        Set.of(ENDPOINT, INFO, METRICS, CLUSTER, OBSERVATIONS)),
                Arguments.of("health's auto-configuration",
                        new String[]{"org.springframework.boot.health.autoconfigure"},
                        Set.of(ENDPOINT, INFO, METRICS, CLUSTER, OBSERVATIONS)),
                Arguments.of("info", new String[]{"org.springframework.boot.actuate.info",
                    "org.springframework.boot.actuate.autoconfigure.info"},
                        Set.of(ENDPOINT, HEALTH, METRICS, CLUSTER, OBSERVATIONS)),
                Arguments.of("Micrometer", new String[]{"io.micrometer"}, Set.of(ENDPOINT, HEALTH, INFO, CLUSTER)),
                Arguments.of("JCuda", new String[]{"jcuda"}, EVERYTHING),
                Arguments.of("Micrometer's observations", new String[]{"io.micrometer.observation"},
                        Set.of(ENDPOINT, HEALTH, INFO, METRICS, CLUSTER)),
                Arguments.of("Spring Cloud", new String[]{"org.springframework.cloud"},
                        Set.of(ENDPOINT, HEALTH, INFO, METRICS, OBSERVATIONS)),
                Arguments.of("Consul", new String[]{"org.springframework.cloud.consul"}, EVERYTHING),
                Arguments.of("a servlet container", new String[]{"jakarta.servlet",
                    "org.springframework.boot.web.servlet"},
                        Set.of(ENDPOINT, HEALTH, INFO, METRICS, OBSERVATIONS)),
                Arguments.of("Spring MVC", new String[]{"org.springframework.web.servlet"}, EVERYTHING),
                Arguments.of("Spring's REST client", new String[]{"org.springframework.web.client"},
                        Set.of(ENDPOINT, HEALTH, INFO, METRICS, OBSERVATIONS)),
                Arguments.of("JNA", new String[]{"com.sun.jna"}, EVERYTHING),
                Arguments.of("Jackson's data binding", new String[]{"tools.jackson.databind"}, EVERYTHING),
                Arguments.of("all of them", new String[]{"org.springframework.boot.actuate",
                    "org.springframework.boot.health", "io.micrometer", "jcuda", "com.sun.jna",
                    "org.springframework.cloud", "jakarta.servlet", "org.springframework.web.client",
                    "org.springframework.web.servlet",
                    "tools.jackson.databind"}, Set.of()));
    }

    @ParameterizedTest(name = "without {0}")
    @MethodSource("absent")
    void theContextStartsQuietlyWithWhatIsLeft(String name, String[] packages, Set<String> left,
            CapturedOutput output) {
        FilteredClassLoader loader = new FilteredClassLoader(packages);
        if (ClassUtils.isPresent("jakarta.servlet.Servlet", loader)) {
            configured(new WebApplicationContextRunner()).withClassLoader(loader)
                    .run(context -> requireOnly(context, left));
        } else {
            configured(new ApplicationContextRunner()).withClassLoader(loader)
                    .run(context -> requireOnly(context, left));
        }
        assertThat(output.getAll().lines()).anyMatch(line -> line.contains("KV cache of worker 7"))
                .noneMatch(line -> line.contains("WARN") || line.contains("ERROR"));
    }

    private static void requireOnly(ApplicationContextAssertProvider<?> context, Set<String> left) {
        assertThat(context.getStartupFailure()).isNull();
        assertThat(context.getBeansOfType(KvBlockManager.class)).hasSize(1);
        Set<String> found = new TreeSet<>(EVERYTHING);
        found.removeIf(bean -> !context.containsBean(bean));
        assertThat(found).isEqualTo(left);
    }

    /**
     * Imports ours and what they stand on by name, as Boot does, so that a class is read but not loaded until its
     * conditions hold. What the class path lacks nobody has listed.
     */
    static class ByName implements DeferredImportSelector, BeanClassLoaderAware {

        private static final List<String> BELOW = List.of(
                "org.springframework.cloud.commons.util.UtilAutoConfiguration",
                "org.springframework.cloud.client.discovery.simple.SimpleDiscoveryClientAutoConfiguration",
                "org.springframework.boot.micrometer.observation.autoconfigure.ObservationAutoConfiguration",
                KvbmAutoConfiguration.class.getName());

        private @Nullable ClassLoader loader;

        @Override
        public void setBeanClassLoader(ClassLoader loader) {
            this.loader = loader;
        }

        @Override
        public String[] selectImports(AnnotationMetadata importing) {
            return Stream.concat(BELOW.stream(), ImportCandidates.load(AutoConfiguration.class, null)
                    .getCandidates()
                    .stream()
                    .filter(name -> name.startsWith("io.kvbm.") && !BELOW.contains(name)))
                    .filter(name -> name.startsWith("io.kvbm.") || ClassUtils.isPresent(name, loader))
                    .toArray(String[]::new);
        }
    }

    @Configuration(proxyBeanMethods = false)
    @Import(ByName.class)
    static class Application {}
}
