package io.kvbm.spring.boot;

import java.util.Comparator;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.context.annotation.ImportCandidates;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.DeferredImportSelector;
import org.springframework.context.annotation.Import;
import org.springframework.core.type.AnnotationMetadata;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;

/** The starter works without any of its optional dependencies, and offers what the others allow. */
class OptionalDependenciesTest {

    private static final String ENDPOINT = "kvbmEndpoint";
    private static final String HEALTH = "kvbmHealthIndicator";
    private static final String INFO = "kvbmInfoContributor";
    private static final String METRICS = "kvbmMetrics";

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withUserConfiguration(Application.class)
            .withPropertyValues(SmallCache.properties("management.endpoints.web.exposure.include=*"));

    static Stream<Arguments> absent() {
        return Stream.of(Arguments.of("nothing", new String[0], Set.of(ENDPOINT, HEALTH, INFO, METRICS)),
                Arguments.of("endpoint", new String[]{"org.springframework.boot.actuate.endpoint",
                    "org.springframework.boot.actuate.autoconfigure.endpoint"}, Set.of(HEALTH, INFO, METRICS)),
                Arguments.of("actuator's auto-configuration",
                        new String[]{"org.springframework.boot.actuate.autoconfigure"}, Set.of(HEALTH, METRICS)),
                Arguments.of("actuator", new String[]{"org.springframework.boot.actuate"}, Set.of(HEALTH, METRICS)),
                Arguments.of("health", new String[]{"org.springframework.boot.health"},
                        Set.of(ENDPOINT, INFO, METRICS)),
                Arguments.of("health's auto-configuration",
                        new String[]{"org.springframework.boot.health.autoconfigure"}, Set.of(ENDPOINT, INFO, METRICS)),
                Arguments.of("info", new String[]{"org.springframework.boot.actuate.info",
                    "org.springframework.boot.actuate.autoconfigure.info"}, Set.of(ENDPOINT, HEALTH, METRICS)),
                Arguments.of("Micrometer", new String[]{"io.micrometer"}, Set.of(ENDPOINT, HEALTH, INFO)),
                Arguments.of("JCuda", new String[]{"jcuda"}, Set.of(ENDPOINT, HEALTH, INFO, METRICS)),
                Arguments.of("all of them", new String[]{"org.springframework.boot.actuate",
                    "org.springframework.boot.health", "io.micrometer", "jcuda"}, Set.of()));
    }

    @ParameterizedTest(name = "without {0}")
    @MethodSource("absent")
    void theContextStartsWithWhatIsLeft(String name, String[] packages, Set<String> left) {
        runner.withClassLoader(new FilteredClassLoader(packages)).run(context -> {
            assertThat(context).as("without %s", name).hasNotFailed().hasSingleBean(KvBlockManager.class);
            Set<String> found = new TreeSet<>(Set.of(ENDPOINT, HEALTH, INFO, METRICS));
            found.removeIf(bean -> !context.containsBean(bean));
            assertThat(found).isEqualTo(left);
        });
    }

    /** Imports by name, as Boot does, so that a class is read but not loaded until its conditions hold. */
    static class OursByName implements DeferredImportSelector {

        @Override
        public String[] selectImports(AnnotationMetadata importing) {
            return ImportCandidates.load(AutoConfiguration.class, null)
                    .getCandidates()
                    .stream()
                    .filter(name -> name.startsWith("io.kvbm."))
                    .sorted(Comparator.comparing(name -> !name.equals(KvbmAutoConfiguration.class.getName())))
                    .toArray(String[]::new);
        }
    }

    @Configuration(proxyBeanMethods = false)
    @Import(OursByName.class)
    static class Application {}
}
