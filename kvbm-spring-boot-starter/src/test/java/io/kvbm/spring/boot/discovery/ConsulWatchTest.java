package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.springframework.cloud.consul.ConsulAutoConfiguration;
import org.springframework.cloud.consul.ConsulClient;
import org.springframework.cloud.consul.ConsulProperties;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

@Tag("consul")
@EnabledIf("io.kvbm.spring.boot.discovery.ConsulAgent#isThere")
class ConsulWatchTest {

    private static final Duration SOON = Duration.ofSeconds(20);

    private static ConsulClient client(ConsulAgent consul) {
        ConsulProperties properties = new ConsulProperties();
        properties.setHost("127.0.0.1");
        properties.setPort(consul.port());
        return ConsulAutoConfiguration.createNewConsulClient(properties);
    }

    @Test
    void whatComesAndGoesIsToldAtOnceAndNothingWhileNothingHappens() throws IOException, InterruptedException {
        AtomicInteger changes = new AtomicInteger();
        try (ConsulAgent consul = ConsulAgent.start()) {
            consul.register("cluster", "first", 9);
            ConsulWatch watch = new ConsulWatch(client(consul), null, "cluster", changes::incrementAndGet);
            watch.start();
            await().atMost(SOON).until(() -> changes.get() > 0);
            int before = changes.get();
            await().during(Duration.ofSeconds(3)).atMost(SOON).until(() -> changes.get() == before);
            long start = System.nanoTime();
            consul.register("cluster", "second", 10);
            await().pollInterval(Duration.ofMillis(5)).atMost(SOON).until(() -> changes.get() > before);
            System.out.println("ConsulWatchTest: told "
                    + Duration.ofNanos(System.nanoTime() - start).toMillis() + " ms after the registration");
            int two = changes.get();
            consul.forget("second");
            await().atMost(SOON).until(() -> changes.get() > two);
            watch.stop();
            assertThat(watch.isRunning()).isFalse();
        }
    }

    @Test
    void withoutAConsulThereIsNothingToWatch() {
        ConsulWatch watch = new ConsulWatch(null, null, "", () -> {});
        watch.start();
        assertThat(watch.isRunning()).isFalse();
    }
}
