package io.kvbm.spring.boot.metrics;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import io.micrometer.core.instrument.FunctionTimer;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.observation.DefaultMeterObservationHandler;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.micrometer.observation.ObservationRegistry;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.beans.factory.support.StaticListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.micrometer.metrics.autoconfigure.MetricsAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.KvSequence;
import io.kvbm.error.PoolException;
import io.kvbm.event.EventListener;
import io.kvbm.event.EventLog;
import io.kvbm.event.KvEvent;
import io.kvbm.remote.Peering;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.spring.boot.NoCluster;
import io.kvbm.spring.boot.PublishedCluster;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.spring.boot.autoconfigure.KvbmAutoConfiguration;
import io.kvbm.spring.boot.discovery.KvbmCluster;
import io.kvbm.storage.HostAllocator;
import io.kvbm.transfer.TransferObserver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

@ExtendWith(OutputCaptureExtension.class)
class KvbmMetricsTest {

    @Test
    void bootBindsThemToTheApplicationsRegistry() {
        new ApplicationContextRunner()
                .withConfiguration(AutoConfigurations.of(KvbmAutoConfiguration.class, MetricsAutoConfiguration.class,
                        KvbmMetricsAutoConfiguration.class))
                .withBean(SimpleMeterRegistry.class)
                .withPropertyValues(SmallCache.properties())
                .run(context -> assertThat(context.getBean(MeterRegistry.class)
                        .get("kvbm.blocks.configured")
                        .tag("tier", "host")
                        .gauge()
                        .value()).isEqualTo(64));
    }

    @Test
    void aSequenceMovesTheCountersItShould() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()))) {
            SimpleMeterRegistry registry = bound(manager);
            int[] prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9};
            try (KvSequence first = manager.open(prompt, "")) {
                first.computed(prompt.length);
                assertThat(blocks(registry)).containsExactly(1, 0, 2, 1, 0);
                assertThat(value(registry, "kvbm.handles")).isEqualTo(3);
                assertThat(value(registry, "kvbm.sequences.open")).isEqualTo(1);
            }
            assertThat(blocks(registry)).containsExactly(2, 2, 0, 0, 0);
            manager.open(prompt, "").close();
            assertThat(value(registry, "kvbm.sequences.opened")).isEqualTo(2);
            assertThat(value(registry, "kvbm.sequences.open")).isZero();
            assertThat(value(registry, "kvbm.sequences.leaked")).isZero();
            assertThat(value(registry, "kvbm.tokens.requested")).isEqualTo(18);
            assertThat(value(registry, "kvbm.tokens.reused")).isEqualTo(8);
            assertThat(tokens(registry, "computed")).isEqualTo(10);
            assertThat(tokens(registry, "local")).isEqualTo(8);
            assertThat(tokens(registry, "p2p")).isZero();
            assertThat(value(registry, "kvbm.match.hashes.requested")).isEqualTo(4);
            assertThat(value(registry, "kvbm.match.blocks.returned")).isEqualTo(2);
            assertThat(value(registry, "kvbm.allocations")).isEqualTo(4);
            assertThat(value(registry, "kvbm.allocations.from.reset")).isEqualTo(4);
            assertThat(value(registry, "kvbm.registrations")).isEqualTo(2);
            assertThat(value(registry, "kvbm.registration.dedup")).isZero();
            assertThat(value(registry, "kvbm.events")).isZero();
            assertThat(value(registry, "kvbm.evictions")).isZero();
            assertThat(value(registry, "kvbm.blocks.usable")).isEqualTo(4);
            assertThat(value(registry, "kvbm.blocks.configured")).isEqualTo(4);
            assertThat(value(registry, "kvbm.waiters")).isZero();
            assertThat(value(registry, "kvbm.transfers.inflight")).isZero();
        }
    }

    @Test
    void evictionsAndRefusalsAreCounted() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()))) {
            SimpleMeterRegistry registry = bound(manager);
            try (KvSequence first = manager.open(new int[]{1, 2, 3, 4, 5, 6, 7, 8}, "")) {
                first.computed(8);
            }
            try (KvSequence _ = manager.open(new int[]{9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, "")) {
                assertThatThrownBy(() -> manager.open(new int[]{8, 8, 8, 8, 8, 8, 8, 8}, ""))
                        .isInstanceOf(PoolException.class);
            }
            assertThat(value(registry, "kvbm.evictions")).isEqualTo(1);
            assertThat(value(registry, "kvbm.allocation.failures")).isEqualTo(1);
        }
    }

    @Test
    void prometheusTakesThemAllInAtMostSixtySeries(CapturedOutput output) {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()))) {
            List<String> refused = new ArrayList<>();
            PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
            registry.config().onMeterRegistrationFailed((id, reason) -> refused.add(id + ": " + reason));
            new KvbmMetrics(manager, NoCluster.PROVIDER).bindTo(registry);
            assertThat(refused).isEmpty();
            List<String> series = registry.scrape().lines().filter(line -> line.startsWith("kvbm_")).toList();
            assertThat(series).hasSizeBetween(20, 60)
                    .contains("kvbm_blocks{state=\"free\",tier=\"host\"} 4.0", "kvbm_tokens_reused_total 0.0",
                            "kvbm_events_total 0.0", "kvbm_blocks_configured{tier=\"host\"} 4.0")
                    .hasSize(registry.getMeters().size());
            assertThat(output).doesNotContain("WARN");
        }
    }

    @Test
    void withADeviceLevelPrometheusTakesThemAllInAtMostOneHundredSeries() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.tiered())) {
            PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
            new KvbmMetrics(manager, NoCluster.PROVIDER).bindTo(registry);
            assertThat(registry.scrape().lines().filter(line -> line.startsWith("kvbm_"))).hasSizeBetween(40, 100)
                    .contains("kvbm_blocks{state=\"free\",tier=\"device\"} 4.0",
                            "kvbm_blocks{state=\"free\",tier=\"host\"} 16.0",
                            "kvbm_tier_blocks_copied_total{from=\"device\",to=\"host\"} 0.0",
                            "kvbm_tier_blocks_pending{from=\"host\",to=\"device\"} 0.0",
                            "kvbm_tier_copies_seconds_sum{from=\"device\",to=\"host\"} 0.0");
        }
    }

    @Test
    void tokensOfAPeerAreCountedApart() {
        try (KvBlockManager one = new KvBlockManager(sharing(8));
                KvBlockManager other = new KvBlockManager(sharing(9))) {
            SimpleMeterRegistry registry = bound(other);
            compute(one, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            compute(other, 1, 2, 3, 4);
            Peering peering = other.peering().orElseThrow();
            Reconciler reconciler = peering.reconciler(_ -> one.peering().orElseThrow().desk(),
                    ReconcilerSettings.DEFAULT);
            reconciler.listed(List.of("one"));
            peering.advance();
            reconciler.step(Runnable::run);
            compute(other, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            assertThat(tokens(registry, "computed")).isEqualTo(4 + 1);
            assertThat(tokens(registry, "local")).isEqualTo(4);
            assertThat(tokens(registry, "p2p")).isEqualTo(4);
            assertThat(value(registry, "kvbm.tokens.requested")).isEqualTo(13);
        }
    }

    @Test
    void withSixteenPeersAndAGpuThereAreFewerThanOneHundredAndSixtySeries() {
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        ObservationRegistry observations = ObservationRegistry.create();
        observations.observationConfig().observationHandler(new DefaultMeterObservationHandler(registry));
        List<KvBlockManager> peers = new ArrayList<>();
        try (KvBlockManager manager = new KvBlockManager(SmallCache.builder()
                .hostLayout(SmallCache.blocks(16, HostAllocator.create()))
                .deviceLayout(SmallCache.device())
                .transferObserver(new TransferObservations(observations))
                .sharing(KvManagerSharingConfig.builder().build())
                .build())) {
            StaticListableBeanFactory beans = new StaticListableBeanFactory(Map.of("cluster", new PublishedCluster()));
            new KvbmMetrics(manager, beans.getBeanProvider(KvbmCluster.class)).bindTo(registry);
            long alone = series(registry);
            for (int id = 100; id < 116; id++) {
                KvBlockManager peer = new KvBlockManager(sharing(id));
                peers.add(peer);
                var _ = manager.importBlockset(peer.exportBlockset());
            }
            assertThat(series(registry)).isEqualTo(alone);
            compute(manager, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            SmallCache.awaitOffloaded(manager, 2);
            compute(manager, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9);
            SmallCache.awaitOffloaded(manager, 6);
            compute(manager, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            for (int arrived = 0; arrived <= 2; arrived++) {
                take(observations).ended(arrived, null);
            }
            take(observations).ended(0, new IllegalStateException("broken"));
            assertThat(registry.scrape()).contains("kvbm_onboard_seconds_count", "kvbm_offload_seconds_count",
                    "kvbm_take_seconds_count",
                    "kvbm_peers{state=\"live\"} 16.0",
                    "kvbm_cluster_addresses 3.0");
            assertThat(series(registry)).as(registry.scrape()).isBetween(alone + 1, 159L);
        } finally {
            peers.forEach(KvBlockManager::close);
        }
    }

    private static TransferObserver.Copy take(ObservationRegistry observations) {
        return new TransferObservations(observations).begins(new TransferObserver.Way("take", "p2p", "host"), 2);
    }

    private static long series(PrometheusMeterRegistry registry) {
        return registry.scrape().lines().filter(line -> line.startsWith("kvbm_")).count();
    }

    private static KvBlockManagerConfig sharing(long workerId) {
        return SmallCache.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(workerId).build())
                .hostLayout(SmallCache.blocks(8, HostAllocator.create()))
                .sharing(KvManagerSharingConfig.builder().build())
                .build();
    }

    private static double tokens(MeterRegistry registry, String source) {
        return registry.get("kvbm.tokens").tag("source", source).functionCounter().count();
    }

    @Test
    void blocksThatAreOffloadedAndOnboardedAreCounted() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.tiered())) {
            SimpleMeterRegistry registry = bound(manager);
            compute(manager, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            SmallCache.awaitOffloaded(manager, 2);
            assertThat(value(registry, "kvbm.tier.blocks.copied", "device", "host")).isEqualTo(2);
            compute(manager, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9);
            SmallCache.awaitOffloaded(manager, 6);
            compute(manager, 1, 2, 3, 4, 5, 6, 7, 8, 9);
            assertThat(value(registry, "kvbm.tier.blocks.copied", "host", "device")).isEqualTo(2);
            assertThat(value(registry, "kvbm.tier.bytes", "host", "device")).isEqualTo(2 * SmallCache.BLOCK_BYTES);
            assertThat(value(registry, "kvbm.tier.blocks.failed", "host", "device")).isZero();
            assertThat(value(registry, "kvbm.tier.blocks.skipped", "host", "device")).isZero();
            assertThat(value(registry, "kvbm.tier.blocks.pending", "host", "device")).isZero();
            FunctionTimer copies = registry.get("kvbm.tier.copies")
                    .tags("from", "host", "to", "device")
                    .functionTimer();
            assertThat(copies.count()).isOne();
            assertThat(copies.totalTime(TimeUnit.NANOSECONDS)).isPositive();
            assertThat(value(registry, "kvbm.tokens.reused")).isEqualTo(8);
        }
    }

    private static void compute(KvBlockManager manager, int... tokens) {
        try (KvSequence sequence = manager.open(tokens, "")) {
            sequence.computed(tokens.length);
        }
    }

    private static double value(MeterRegistry registry, String name, String from, String to) {
        return registry.get(name).tags("from", from, "to", to).meter().measure().iterator().next().getValue();
    }

    @Test
    void eventsAreCountedOnlyWhileSomebodyListens() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()));
                EventLog.Subscription _ = manager.events().subscribe("test", new Listener())) {
            SimpleMeterRegistry registry = bound(manager);
            try (KvSequence sequence = manager.open(new int[]{1, 2, 3, 4}, "")) {
                sequence.computed(4);
            }
            assertThat(value(registry, "kvbm.events")).isEqualTo(1);
        }
    }

    @Test
    void everyMeterHasADescription() {
        try (KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()))) {
            assertThat(bound(manager).getMeters()).hasSizeGreaterThan(20)
                    .extracting(Meter::getId)
                    .allSatisfy(id -> assertThat(id.getDescription()).as(id.getName()).isNotBlank());
        }
    }

    @Test
    void aScrapeAfterTheManagerIsClosedStillAnswers() {
        KvBlockManager manager = new KvBlockManager(SmallCache.config(HostAllocator.create()));
        SimpleMeterRegistry registry = bound(manager);
        manager.close();
        assertThat(registry.getMeters()).allSatisfy(meter -> meter.measure()
                .forEach(measurement -> assertThat(measurement.getValue()).isFinite()));
    }

    private static SimpleMeterRegistry bound(KvBlockManager manager) {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        new KvbmMetrics(manager, NoCluster.PROVIDER).bindTo(registry);
        return registry;
    }

    private static List<Integer> blocks(MeterRegistry registry) {
        return Stream.of("free", "inactive", "active", "mutable", "unlisted")
                .map(state -> (int) registry.get("kvbm.blocks").tags("tier", "host", "state", state).gauge().value())
                .toList();
    }

    private static double value(MeterRegistry registry, String name) {
        return registry.get(name).meter().measure().iterator().next().getValue();
    }

    private static final class Listener implements EventListener {

        @Override
        public void onEvents(long firstSequence, List<KvEvent> events) {}

        @Override
        public void onGap(long expected, long next) {}
    }
}
