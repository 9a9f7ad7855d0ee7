package io.kvbm.spring.boot.autoconfigure;

import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.context.LifecycleAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.Configuration;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.storage.HostAllocator;

import static org.assertj.core.api.Assertions.assertThat;

@ExtendWith(OutputCaptureExtension.class)
class KvbmWithdrawalTest {

    /** In the place of a status where nobody answers. */
    private static final int NONE = 0;

    private static final int[] PROMPT = {1, 2, 3, 4, 5};
    private static final Duration LONG = Duration.ofHours(1);

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class, LifecycleAutoConfiguration.class))
            .withPropertyValues(SmallCache.properties());

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {}

    /** Every request has a connection of its own, as from a balancer that has none yet. */
    private static int status(int port, String path) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) URI.create("http://localhost:" + port + path)
                .toURL()
                .openConnection();
        connection.setRequestProperty("Connection", "close");
        try {
            return connection.getResponseCode();
        } finally {
            connection.disconnect();
        }
    }

    @Test
    @Timeout(60)
    void theWebServerAnswersForTheDelayWithHealthOutOfServiceAndThenStops() throws Exception {
        Duration delay = Duration.ofSeconds(2);
        ConfigurableApplicationContext context = new SpringApplicationBuilder(Application.class)
                .properties(SmallCache.properties("server.port=0", "kvbm.shutdown.delay=" + delay))
                .run();
        int port = context.getEnvironment().getRequiredProperty("local.server.port", Integer.class);
        assertThat(status(port, "/actuator/health")).isEqualTo(200);
        KvBlockManager manager = context.getBean(KvBlockManager.class);

        long start = System.nanoTime();
        Thread closing = Thread.ofPlatform().start(context::close);
        Awaitility.await().until(manager::isWithdrawn);
        manager.open(PROMPT, "").close();
        int answered = 0;
        while (true) {
            int health = statusOrNone(port, "/actuator/health");
            int links = statusOrNone(port, "/actuator");
            // what is asked while the server stops may be answered in any way
            if (Duration.ofNanos(System.nanoTime() - start).compareTo(delay) >= 0) {
                break;
            }
            assertThat(health).isEqualTo(503);
            assertThat(links).isEqualTo(200);
            answered++;
        }
        closing.join();
        assertThat(answered).isPositive();
        assertThat(statusOrNone(port, "/actuator")).isEqualTo(NONE);
    }

    private static int statusOrNone(int port, String path) {
        try {
            return status(port, path);
        } catch (IOException e) {
            return NONE;
        }
    }

    @Test
    void itIsStoppedAfterCatalogsAreLeftAndBeforeTheWebServer() {
        runner.run(context -> assertThat(context.getBean(KvbmWithdrawal.class).getPhase())
                .isLessThan(SmartLifecycle.DEFAULT_PHASE)
                .isGreaterThan(WebServerApplicationContext.GRACEFUL_SHUTDOWN_PHASE)
                .isGreaterThan(WebServerApplicationContext.START_STOP_LIFECYCLE_PHASE));
    }

    @Test
    void amongOthersItWaitsUntilTheLastOfThemHasGone() throws Exception {
        try (KvBlockManager manager = manager(7); KvBlockManager other = manager(8)) {
            var _ = manager.importBlockset(other.exportBlockset());
            KvbmWithdrawal withdrawal = started(manager, LONG, Duration.ZERO);
            CountDownLatch stopped = new CountDownLatch(1);
            withdrawal.stop(stopped::countDown);
            Awaitility.await().until(manager::isWithdrawn);
            assertThat(stopped.await(200, TimeUnit.MILLISECONDS)).isFalse();
            manager.peering().orElseThrow().remove(8);
            assertThat(stopped.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(withdrawal.isRunning()).isFalse();
        }
    }

    @Test
    @Timeout(60)
    void aloneItWaitsForNobody() {
        try (KvBlockManager manager = manager(7)) {
            started(manager, LONG, Duration.ZERO).stop();
            assertThat(manager.isWithdrawn()).isTrue();
        }
    }

    @Test
    void anApplicationThatIsAloneStopsAtOnceUnlessToldOtherwise() {
        runner.run(context -> assertThat(timeToStop(context)).isLessThan(KvbmWithdrawal.DELAY));
        runner.withPropertyValues("kvbm.shutdown.delay=100ms")
                .run(context -> assertThat(timeToStop(context)).isGreaterThanOrEqualTo(Duration.ofMillis(100)));
    }

    private static Duration timeToStop(ConfigurableApplicationContext context) {
        long start = System.nanoTime();
        context.getBean(KvbmWithdrawal.class).stop();
        return Duration.ofNanos(System.nanoTime() - start);
    }

    @Test
    @Timeout(60)
    void anInterruptedPauseEnds() {
        try (KvBlockManager manager = manager(7)) {
            Thread.currentThread().interrupt();
            started(manager, LONG, LONG).stop();
            assertThat(Thread.interrupted()).isTrue();
            assertThat(manager.isWithdrawn()).isTrue();
        }
    }

    @Test
    void aDelayThatSpringWouldCutShortIsTold(CapturedOutput output) {
        runner.withPropertyValues("kvbm.shutdown.delay=20ms").run(context -> assertThat(context).hasNotFailed());
        assertThat(output).doesNotContain("WARN");
        runner.withPropertyValues("kvbm.shutdown.delay=20ms", "spring.lifecycle.timeout-per-shutdown-phase=10ms")
                .run(context -> assertThat(context).hasNotFailed());
        assertThat(output.getAll().lines().filter(line -> line.contains("WARN"))).singleElement()
                .asString()
                .contains("The web server will stop PT0.01S after", "kvbm.shutdown.delay is PT0.02S");
    }

    private static KvbmWithdrawal started(KvBlockManager manager, Duration amongOthers, Duration alone) {
        KvbmWithdrawal withdrawal = new KvbmWithdrawal(manager, amongOthers, alone, LONG.plus(LONG));
        withdrawal.start();
        return withdrawal;
    }

    private static KvBlockManager manager(long workerId) {
        return new KvBlockManager(KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(workerId).build())
                .model(KvManagerModelConfig.of(SmallCache.identity()))
                .hostLayout(
                        KvManagerLayoutConfig.builder().numBlocks(4).allocator(HostAllocator.create()).build())
                .sharing(KvManagerSharingConfig.builder().build())
                .build());
    }
}
