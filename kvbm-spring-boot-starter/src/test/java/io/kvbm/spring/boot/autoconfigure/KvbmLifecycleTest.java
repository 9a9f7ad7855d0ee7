package io.kvbm.spring.boot.autoconfigure;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.boot.web.server.context.WebServerApplicationContext;

import io.kvbm.KvBlockManager;
import io.kvbm.KvSequence;
import io.kvbm.error.ClosedException;
import io.kvbm.spring.boot.RefusedMemory;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.Storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

@ExtendWith(OutputCaptureExtension.class)
class KvbmLifecycleTest {

    private static final int[] PROMPT = {1, 2, 3, 4, 5};

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class))
            .withPropertyValues(SmallCache.properties());

    @Test
    void itStopsAfterTheWebServerHasAnsweredItsLastRequest() {
        runner.run(context -> assertThat(context.getBean(KvbmLifecycle.class).getPhase())
                .isLessThan(WebServerApplicationContext.GRACEFUL_SHUTDOWN_PHASE)
                .isLessThan(WebServerApplicationContext.START_STOP_LIFECYCLE_PHASE));
    }

    @Test
    void aContextThatIsPausedKeepsItsCache() {
        runner.run(context -> {
            KvBlockManager manager = context.getBean(KvBlockManager.class);
            context.getSourceApplicationContext().pause();
            manager.open(PROMPT, "").close();
            assertThat(context.getBean(KvbmLifecycle.class).isRunning()).isTrue();
        });
    }

    @Test
    void stoppingWaitsForAnOpenSequenceAndThenCloses() throws Exception {
        try (KvBlockManager manager = manager()) {
            KvbmLifecycle lifecycle = started(manager, Duration.ofSeconds(30));
            KvSequence sequence = manager.open(PROMPT, "");
            CountDownLatch stopped = new CountDownLatch(1);
            lifecycle.stop(stopped::countDown);
            Awaitility.await().until(manager::isDraining);
            assertThatThrownBy(() -> manager.open(PROMPT, "")).isInstanceOf(ClosedException.class);
            assertThat(stopped.await(50, TimeUnit.MILLISECONDS)).isFalse();
            assertThat(closed(manager)).isFalse();
            sequence.close();
            assertThat(stopped.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(closed(manager)).isTrue();
            assertThat(lifecycle.isRunning()).isFalse();
        }
    }

    @Test
    void whenTheTimeRunsOutItClosesAllTheSameAndSaysSoOnce(CapturedOutput output) {
        try (KvBlockManager manager = manager()) {
            KvbmLifecycle lifecycle = started(manager, Duration.ofMillis(20));
            KvSequence sequence = manager.open(PROMPT, "");
            lifecycle.stop();
            assertThat(output.getAll().lines().filter(line -> line.contains("WARN"))).singleElement()
                    .asString()
                    .contains("Sequences open after PT0.02S: 1, handles and pins: 2;");
            // what is open stays readable
            assertThat(closed(manager)).isFalse();
            sequence.close();
            assertThat(closed(manager)).isTrue();
        }
    }

    @Test
    void anInterruptedStopCloses() {
        try (KvBlockManager manager = manager()) {
            KvbmLifecycle lifecycle = started(manager, Duration.ofSeconds(30));
            KvSequence sequence = manager.open(PROMPT, "");
            Thread.currentThread().interrupt();
            lifecycle.stop();
            assertThat(Thread.interrupted()).isTrue();
            sequence.close();
            assertThat(closed(manager)).isTrue();
        }
    }

    @Test
    void stoppingTwiceAndDestroyingTheBeanIsTheSameAsStopping(CapturedOutput output) {
        runner.run(context -> {
            KvBlockManager manager = context.getBean(KvBlockManager.class);
            KvbmLifecycle lifecycle = context.getBean(KvbmLifecycle.class);
            lifecycle.stop();
            lifecycle.stop();
            context.close();
            manager.close();
            assertThat(closed(manager)).isTrue();
        });
        assertThat(output).doesNotContain("WARN").doesNotContain("ERROR");
    }

    @Test
    void closingTheContextFreesTheMemory() {
        KvBlockManager[] manager = new KvBlockManager[1];
        runner.run(context -> {
            manager[0] = context.getBean(KvBlockManager.class);
            assertThat(closed(manager[0])).isFalse();
        });
        assertThat(closed(manager[0])).isTrue();
    }

    @Test
    void aContextThatFailsToStartFreesTheMemory() {
        KvBlockManager[] manager = new KvBlockManager[1];
        runner.withBean("late", Object.class, () -> {
            throw new IllegalStateException("late");
        }, definition -> definition.setDependsOn("kvBlockManager"))
                .withInitializer(context -> context.getBeanFactory()
                        .addBeanPostProcessor(new BeanPostProcessor() {
                            @Override
                            public Object postProcessAfterInitialization(Object bean, String name) {
                                if (bean instanceof KvBlockManager made) {
                                    manager[0] = made;
                                }
                                return bean;
                            }
                        }))
                .run(context -> assertThat(context).hasFailed());
        assertThat(closed(manager[0])).isTrue();
    }

    @Test
    void theStartIsToldInOneLine(CapturedOutput output) {
        runner.withPropertyValues("kvbm.host.layout=layer-separate")
                .run(context -> assertThat(output.getAll().lines().filter(line -> line.contains("KvbmLifecycle")))
                        .singleElement()
                        .asString()
                        .contains("INFO",
                                "KV cache of worker 7: 64 blocks of 4 tokens and 512 bytes in 2 x HostStorage[",
                                "identity SHA256"));
    }

    @Test
    void memoryThatTheSystemRefusesLaterIsTold(CapturedOutput output) {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(size -> new RefusedMemory(size, 0)))) {
            KvbmLifecycle lifecycle = started(manager, Duration.ZERO);
            Awaitility.await().until(() -> output.getAll().contains("WARN"));
            assertThat(output.getAll().lines().filter(line -> line.contains("WARN"))).singleElement()
                    .asString()
                    .contains("0 of 4 blocks", RefusedMemory.MESSAGE);
            lifecycle.stop();
        }
    }

    private static KvbmLifecycle started(KvBlockManager manager, Duration drainTimeout) {
        KvbmLifecycle lifecycle = new KvbmLifecycle(manager, drainTimeout);
        lifecycle.start();
        return lifecycle;
    }

    private static KvBlockManager manager() {
        return new KvBlockManager(SmallCache.config(HostAllocator.create()));
    }

    /** A segment of a closed storage is not alive any more. */
    private static boolean closed(KvBlockManager manager) {
        Storage storage = manager.host().orElseThrow().blocks().memory().storages().getFirst();
        return !storage.segment().scope().isAlive();
    }
}
