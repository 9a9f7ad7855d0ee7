package io.kvbm.spring.boot;

import java.util.List;

import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;

import io.kvbm.KvBlockManager;
import io.kvbm.KvSequence;

import static org.assertj.core.api.Assertions.assertThat;

@ExtendWith(OutputCaptureExtension.class)
class QuietStartTest {

    @ParameterizedTest
    @ValueSource(strings = {"kvbm.enabled=true", "kvbm.enabled=false", "spring.main.lazy-initialization=true",
        "spring.threads.virtual.enabled=true"})
    void aWholeApplicationStartsWorksAndStopsWithoutAWarning(String property, CapturedOutput output) {
        SpringApplication application = new SpringApplication(Application.class);
        String[] properties = SmallCache.properties("server.port=0", "management.endpoints.web.exposure.include=*",
                property);
        for (int i = 0; i < properties.length; i++) {
            properties[i] = "--" + properties[i];
        }
        try (ConfigurableApplicationContext context = application.run(properties)) {
            List<KvBlockManager> managers = context.getBeanProvider(KvBlockManager.class).stream().toList();
            assertThat(managers).hasSize(property.equals("kvbm.enabled=false") ? 0 : 1);
            for (KvBlockManager manager : managers) {
                try (KvSequence sequence = manager.open(new int[]{1, 2, 3, 4, 5}, "")) {
                    sequence.computed(5);
                }
            }
        }
        assertThat(output.getAll().lines()).anyMatch(line -> line.contains("Started"))
                .noneMatch(line -> line.contains("WARN") || line.contains("ERROR"))
                .filteredOn(line -> line.contains("KV cache of worker 7"))
                .hasSize(property.equals("kvbm.enabled=false") ? 0 : 1);
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {}
}
