package io.kvbm.spring.boot.autoconfigure;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.boot.web.server.context.WebServerApplicationContext;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
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

    private static final String PRIVATE = ", private to this process, so that no other one can read it directly";

    private static final ObjectProvider<StartupNote> NO_NOTES = new DefaultListableBeanFactory()
            .getBeanProvider(StartupNote.class);

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
    void anInterruptedStopOfAnIdleCacheHasNothingToSay(CapturedOutput output) {
        try (KvBlockManager manager = manager()) {
            KvbmLifecycle lifecycle = started(manager, Duration.ofSeconds(30));
            Thread.currentThread().interrupt();
            lifecycle.stop();
            assertThat(Thread.interrupted()).isTrue();
            assertThat(output.getAll()).doesNotContain("WARN");
        }
    }

    @Test
    void anInterruptedStopClosesAndSaysWhatIsOpen(CapturedOutput output) {
        try (KvBlockManager manager = manager()) {
            MemorySegment memory = memory(manager);
            KvbmLifecycle lifecycle = started(manager, Duration.ofSeconds(30));
            KvSequence sequence = manager.open(PROMPT, "");
            Thread.currentThread().interrupt();
            lifecycle.stop();
            assertThat(Thread.interrupted()).isTrue();
            assertThat(output.getAll().lines().filter(line -> line.contains("WARN"))).singleElement()
                    .asString()
                    .contains("Sequences open as the stop was interrupted: 1, handles and pins: 2;");
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
    void closingTheContextFreesTheMemoryAndSaysThatNothingIsLeft(CapturedOutput output) {
        MemorySegment[] memory = new MemorySegment[1];
        runner.run(context -> {
            memory[0] = memory(context.getBean(KvBlockManager.class));
            assertThat(closed(memory[0])).isFalse();
            context.getBean(KvBlockManager.class).open(PROMPT, "").close();
        });
        assertThat(closed(memory[0])).isTrue();
        assertThat(output).containsOnlyOnce("All 1 sequences of worker 7 have ended and no handle is left");
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
    void theStartIsToldInOneParagraph(CapturedOutput output) {
        runner.withPropertyValues("kvbm.host.layout=layer-separate", "kvbm.host.huge-pages=false")
                .run(context -> assertThat(told(output)).contains("INFO")
                        .endsWith("""
                        : KV cache of worker 7, of which content has the fingerprint %s and blocks are identified by \
                        SHA256. Level host: 64 blocks of 4 tokens and 512 bytes, 32 KiB in all, in ordinary pages%s. \
                        There is no device level: sequences are kept in host memory. \
                        Blocks are not shared with other instances.""".formatted(
                                context.getBean(KvBlockManager.class).fingerprint().toString().substring(0, 16),
                                OS.LINUX.isCurrentOs() ? ", open to other processes of this user" : PRIVATE)));
    }

    @Test
    void memoryThatNobodyElseReadsIsToldSo(CapturedOutput output) {
        runner.withPropertyValues("kvbm.host.shared=false")
                .run(context -> assertThat(told(output)).contains("in ordinary pages" + PRIVATE + "."));
    }

    @Test
    void allLevelsAreTold(CapturedOutput output) {
        runner.withBean("own", KvBlockManagerConfig.class, SmallCache::tiered)
                .run(context -> assertThat(told(output))
                        .contains("Level device: 4 blocks of 4 tokens and 512 bytes, 2 KiB in all, in ",
                                "Level host: 16 blocks of 4 tokens and 512 bytes, 8 KiB in all, in ")
                        .doesNotContain("no device level"));
    }

    @Test
    void whatOthersHaveFoundIsToldWithIt(CapturedOutput output) {
        runner.withBean("second", StartupNote.class, () -> new StartupNote("That is so."))
                .run(context -> assertThat(told(output)).endsWith("kept in host memory. That is so."));
    }

    private static String told(CapturedOutput output) {
        return output.getAll().lines().filter(line -> line.contains("KvbmLifecycle")).reduce((_, _) -> {
            throw new AssertionError("More than one line: " + output);
        }).orElseThrow();
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
        KvbmLifecycle lifecycle = new KvbmLifecycle(manager, drainTimeout, NO_NOTES);
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
