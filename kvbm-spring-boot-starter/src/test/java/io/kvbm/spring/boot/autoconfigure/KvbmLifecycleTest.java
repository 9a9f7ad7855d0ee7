package io.kvbm.spring.boot.autoconfigure;

import java.lang.foreign.MemorySegment;
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
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.spring.boot.RefusedMemory;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.storage.HostAllocator;

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
            MemorySegment memory = memory(manager);
            KvbmLifecycle lifecycle = started(manager, Duration.ofSeconds(30));
            KvSequence sequence = manager.open(PROMPT, "");
            CountDownLatch stopped = new CountDownLatch(1);
            lifecycle.stop(stopped::countDown);
            Awaitility.await().until(manager::isDraining);
            assertThatThrownBy(() -> manager.open(PROMPT, "")).isInstanceOf(ClosedException.class);
            assertThat(stopped.await(50, TimeUnit.MILLISECONDS)).isFalse();
            assertThat(closed(memory)).isFalse();
            sequence.close();
            assertThat(stopped.await(10, TimeUnit.SECONDS)).isTrue();
            assertThat(closed(memory)).isTrue();
            assertThat(lifecycle.isRunning()).isFalse();
        }
    }

    @Test
    void whenTheTimeRunsOutItClosesAllTheSameAndSaysSoOnce(CapturedOutput output) {
        try (KvBlockManager manager = manager()) {
            MemorySegment memory = memory(manager);
            KvbmLifecycle lifecycle = started(manager, Duration.ofMillis(20));
            KvSequence sequence = manager.open(PROMPT, "");
            lifecycle.stop();
            assertThat(output.getAll().lines().filter(line -> line.contains("WARN"))).singleElement()
                    .asString()
                    .contains("Sequences open after PT0.02S: 1, handles and pins: 2;");
            // what is open stays readable
            assertThat(closed(memory)).isFalse();
            sequence.close();
            assertThat(closed(memory)).isTrue();
        }
    }

    @Test
    void anInterruptedStopCloses() {
        try (KvBlockManager manager = manager()) {
            MemorySegment memory = memory(manager);
            KvbmLifecycle lifecycle = started(manager, Duration.ofSeconds(30));
            KvSequence sequence = manager.open(PROMPT, "");
            Thread.currentThread().interrupt();
            lifecycle.stop();
            assertThat(Thread.interrupted()).isTrue();
            sequence.close();
            assertThat(closed(memory)).isTrue();
        }
    }

    @Test
    void stoppingTwiceAndDestroyingTheBeanIsTheSameAsStopping(CapturedOutput output) {
        runner.run(context -> {
            KvBlockManager manager = context.getBean(KvBlockManager.class);
            MemorySegment memory = memory(manager);
            KvbmLifecycle lifecycle = context.getBean(KvbmLifecycle.class);
            lifecycle.stop();
            lifecycle.stop();
            context.close();
            manager.close();
            assertThat(closed(memory)).isTrue();
        });
        assertThat(output).doesNotContain("WARN").doesNotContain("ERROR");
    }

    @Test
    void whatWasStoppedRefusesToStartAgain() {
        runner.run(context -> {
            KvbmLifecycle lifecycle = context.getBean(KvbmLifecycle.class);
            lifecycle.stop();
            assertThatThrownBy(lifecycle::start).hasMessageContaining("does not start again");
        });
    }

    @Test
    void closingTheContextFreesTheMemory() {
        MemorySegment[] memory = new MemorySegment[1];
        runner.run(context -> {
            memory[0] = memory(context.getBean(KvBlockManager.class));
            assertThat(closed(memory[0])).isFalse();
        });
        assertThat(closed(memory[0])).isTrue();
    }

    @Test
    void aContextThatFailsToStartFreesTheMemory() {
        MemorySegment[] memory = new MemorySegment[1];
        runner.withBean("late", Object.class, () -> {
            throw new IllegalStateException("late");
        }, definition -> definition.setDependsOn("kvBlockManager"))
                .withInitializer(context -> context.getBeanFactory()
                        .addBeanPostProcessor(new BeanPostProcessor() {
                            @Override
                            public Object postProcessAfterInitialization(Object bean, String name) {
                                if (bean instanceof KvBlockManager made) {
                                    memory[0] = memory(made);
                                }
                                return bean;
                            }
                        }))
                .run(context -> assertThat(context).hasFailed());
        assertThat(closed(memory[0])).isTrue();
    }

    @Test
    void theStartIsToldInOneLine(CapturedOutput output) {
        runner.withPropertyValues("kvbm.host.layout=layer-separate")
                .run(context -> assertThat(output.getAll().lines().filter(line -> line.contains("KvbmLifecycle")))
                        .singleElement()
                        .asString()
                        .contains("INFO",
                                "KV cache of worker 7: 64 blocks of 4 tokens and 512 bytes in 2 x ",
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

    private static MemorySegment memory(KvBlockManager manager) {
        try (BlockList<MutableBlock> one = manager.host().orElseThrow().allocateBlocks(1)) {
            return one.getFirst().segment(0, 0);
        }
    }

    /** A segment of a closed storage is not alive any more. */
    private static boolean closed(MemorySegment memory) {
        return !memory.scope().isAlive();
    }
}
