package io.kvbm.spring.boot.metrics;

import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

import io.micrometer.common.KeyValue;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationHandler;
import io.micrometer.observation.ObservationRegistry;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.micrometer.observation.autoconfigure.ObservationAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.KvSequence;
import io.kvbm.remote.Peering;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.spring.boot.autoconfigure.KvBlockManagerConfigCustomizer;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.storage.HostAllocator;
import io.kvbm.transfer.TransferObserver;

import static org.assertj.core.api.Assertions.assertThat;

class TransferObservationsTest {

    private final Ended ended = new Ended();
    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(
                    AutoConfigurations.of(KvbmAutoConfiguration.class, KvbmObservationAutoConfiguration.class))
            .withPropertyValues(SmallCache.properties())
            .withBean(KvBlockManagerConfigCustomizer.class, () -> config -> config.deviceLayout(SmallCache.device()));

    @Test
    void eachCopyIsAnObservation() {
        runner.withConfiguration(AutoConfigurations.of(ObservationAutoConfiguration.class))
                .withBean(Ended.class, () -> ended)
                .run(context -> {
                    KvBlockManager manager = context.getBean(KvBlockManager.class);
                    compute(manager, 1, 2, 3, 4, 5);
                    SmallCache.awaitOffloaded(manager, 1);
                    compute(manager, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9);
                    SmallCache.awaitOffloaded(manager, 5);
                    compute(manager, 1, 2, 3, 4, 5);
                    assertThat(List.copyOf(ended.observations)).extracting(ended -> ended.getName() + " "
                            + ended.getLowCardinalityKeyValues() + " " + ended.getHighCardinalityKeyValues())
                            .containsExactly(
                                    "kvbm.offload [keyValue(from=device),keyValue(outcome=all),keyValue(to=host)] [keyValue(blocks=1)]",
                                    "kvbm.offload [keyValue(from=device),keyValue(outcome=all),keyValue(to=host)] [keyValue(blocks=4)]",
                                    "kvbm.onboard [keyValue(from=host),keyValue(outcome=all),keyValue(to=device)] [keyValue(blocks=1)]");
                });
    }

    @Test
    void whatAPeerGivesIsAnObservation() {
        ObservationRegistry registry = ObservationRegistry.create();
        registry.observationConfig().observationHandler(ended);
        try (KvBlockManager one = new KvBlockManager(sharing(8).build());
                KvBlockManager other = new KvBlockManager(
                        sharing(9).transferObserver(new TransferObservations(registry)).build())) {
            compute(one, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            Peering peering = other.peering().orElseThrow();
            Reconciler reconciler = peering.reconciler(_ -> one.peering().orElseThrow().desk(),
                    ReconcilerSettings.DEFAULT);
            reconciler.listed(List.of("one"));
            reconciler.step(Runnable::run);
            compute(other, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            assertThat(ended.observations).singleElement()
                    .satisfies(take -> assertThat(take.getName() + " " + take.getLowCardinalityKeyValues() + " "
                            + take.getHighCardinalityKeyValues())
                            .isEqualTo("kvbm.take [keyValue(from=p2p),keyValue(outcome=all),keyValue(to=host)]"
                                    + " [keyValue(blocks=2)]"));
        }
    }

    private static KvBlockManagerConfig.Builder sharing(long workerId) {
        return SmallCache.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(workerId).build())
                .hostLayout(SmallCache.blocks(8, HostAllocator.create()))
                .sharing(KvManagerSharingConfig.builder().build());
    }

    @Test
    void aCopyThatFailsIsAnObservationWithItsError() {
        ObservationRegistry registry = ObservationRegistry.create();
        registry.observationConfig().observationHandler(ended);
        IllegalStateException failure = new IllegalStateException("gone");
        take(registry).ended(0, failure);
        assertThat(ended.observations).singleElement().satisfies(take -> {
            assertThat(take.getError()).isSameAs(failure);
            assertThat(outcome(take)).isEqualTo("failed");
        });
    }

    @Test
    void aTakeOfWhichLessArrivesThanWasWantedSaysSo() {
        ObservationRegistry registry = ObservationRegistry.create();
        registry.observationConfig().observationHandler(ended);
        take(registry).ended(3, null);
        take(registry).ended(2, null);
        take(registry).ended(0, null);
        assertThat(ended.observations).extracting(TransferObservationsTest::outcome)
                .containsExactly("all", "part", "none");
        assertThat(ended.observations).extracting(take -> value(take.getHighCardinalityKeyValue("blocks")))
                .containsExactly("3", "2", "0");
    }

    private static TransferObserver.Copy take(ObservationRegistry registry) {
        return new TransferObservations(registry).begins(new TransferObserver.Way("take", "p2p", "host"), 3);
    }

    private static String outcome(Observation.Context context) {
        return value(context.getLowCardinalityKeyValue("outcome"));
    }

    private static String value(@Nullable KeyValue pair) {
        return Objects.requireNonNull(pair).getValue();
    }

    @Test
    void withoutARegistryNobodyLooks() {
        runner.run(context -> {
            assertThat(context).hasNotFailed().doesNotHaveBean(TransferObserver.class);
            assertThat(context.getBean(KvBlockManagerConfig.class).transferObserver()).isSameAs(TransferObserver.NONE);
        });
    }

    @Test
    void theApplicationsObserverTakesThePlaceOfOurs() {
        TransferObserver own = (_, _) -> (_, _) -> {};
        runner.withConfiguration(AutoConfigurations.of(ObservationAutoConfiguration.class))
                .withBean(TransferObserver.class, () -> own)
                .run(context -> assertThat(context.getBean(KvBlockManagerConfig.class).transferObserver())
                        .isSameAs(own));
    }

    private static void compute(KvBlockManager manager, int... tokens) {
        try (KvSequence sequence = manager.open(tokens, "")) {
            sequence.computed(tokens.length);
        }
    }

    /** Keeps what has ended. */
    private static final class Ended implements ObservationHandler<Observation.Context> {

        private final Queue<Observation.Context> observations = new ConcurrentLinkedQueue<>();

        @Override
        public boolean supportsContext(Observation.Context context) {
            return true;
        }

        @Override
        public void onStop(Observation.Context context) {
            observations.add(context);
        }
    }
}
