package io.kvbm.spring.boot.metrics;

import java.util.function.ToDoubleFunction;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.MeterBinder;

import io.kvbm.KvBlockManager;
import io.kvbm.ManagerStats;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.PoolStats;

/** The block manager's counters and sizes, per level under the tag {@code tier}; each is read when it is scraped. */
final class KvbmMetrics implements MeterBinder {

    private final KvBlockManager manager;

    KvbmMetrics(KvBlockManager manager) {
        this.manager = manager;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        manager.pools().forEach(pool -> bindPool(registry, pool));
        sequences(registry, "kvbm.sequences.opened", "Sequences opened", ManagerStats::sequencesOpened);
        sequences(registry, "kvbm.sequences.leaked", "Sequences that were never closed and were taken back",
                ManagerStats::sequencesLeaked);
        sequences(registry, "kvbm.tokens.requested", "Tokens that sequences were opened with",
                ManagerStats::tokensRequested);
        sequences(registry, "kvbm.tokens.reused", "Tokens that sequences were opened with and whose K/V was found",
                ManagerStats::tokensReused);
        Gauge.builder("kvbm.sequences.open", manager, m -> m.stats().openSequences())
                .description("Sequences that are open")
                .register(registry);
        Gauge.builder("kvbm.transfers.inflight", manager, m -> m.transfers().inFlight())
                .description("Transfers under way")
                .register(registry);
        FunctionCounter.builder("kvbm.events", manager, m -> m.events().nextSequence())
                .description("Events published; there are none while nobody listens")
                .register(registry);
    }

    private static void bindPool(MeterRegistry registry, BlockPool pool) {
        Tags tier = Tags.of("tier", pool.blocks().level().tier());
        counter(registry, pool, tier, "kvbm.allocations", "Blocks handed out to be filled", PoolStats::allocations);
        counter(registry, pool, tier, "kvbm.allocations.from.reset",
                "Blocks handed out that had no content; the others were evicted",
                PoolStats::allocationsFromReset);
        counter(registry, pool, tier, "kvbm.allocation.failures", "Requests for blocks that were refused",
                PoolStats::allocationFailures);
        counter(registry, pool, tier, "kvbm.evictions", "Registered blocks dropped to reuse them",
                PoolStats::evictions);
        counter(registry, pool, tier, "kvbm.registrations", "Blocks that became findable",
                PoolStats::registrations);
        counter(registry, pool, tier, "kvbm.registration.dedup", "Blocks registered under an identity already present",
                PoolStats::registrationDedup);
        counter(registry, pool, tier, "kvbm.match.hashes.requested", "Identities asked for by prefix matches",
                PoolStats::matchHashesRequested);
        counter(registry, pool, tier, "kvbm.match.blocks.returned", "Blocks returned by prefix matches",
                PoolStats::matchBlocksReturned);
        counter(registry, pool, tier, "kvbm.handles.leaked", "Holds that were never closed and were taken back",
                PoolStats::leaked);
        gauge(registry, pool, tier, "kvbm.blocks.configured", "Blocks the level is made of", PoolStats::total);
        gauge(registry, pool, tier, "kvbm.blocks.usable", "Blocks whose memory is there", PoolStats::usable);
        blocks(registry, pool, tier, "free", PoolStats::free);
        blocks(registry, pool, tier, "inactive", PoolStats::inactive);
        blocks(registry, pool, tier, "active", PoolStats::active);
        blocks(registry, pool, tier, "mutable", PoolStats::owned);
        blocks(registry, pool, tier, "unlisted", PoolStats::unlisted);
        gauge(registry, pool, tier, "kvbm.handles", "Open handles and pins", PoolStats::holders);
        gauge(registry, pool, tier, "kvbm.waiters", "Callers that wait for blocks", PoolStats::waiters);
    }

    private static void blocks(MeterRegistry registry, BlockPool pool, Tags tier, String state,
            ToDoubleFunction<PoolStats> value) {
        gauge(registry, pool, tier.and("state", state), "kvbm.blocks", "Blocks by state", value);
    }

    private static void counter(MeterRegistry registry, BlockPool pool, Tags tags, String name, String description,
            ToDoubleFunction<PoolStats> value) {
        FunctionCounter.builder(name, pool, p -> value.applyAsDouble(p.stats()))
                .tags(tags)
                .description(description)
                .register(registry);
    }

    private static void gauge(MeterRegistry registry, BlockPool pool, Tags tags, String name, String description,
            ToDoubleFunction<PoolStats> value) {
        Gauge.builder(name, pool, p -> value.applyAsDouble(p.stats()))
                .tags(tags)
                .description(description)
                .register(registry);
    }

    private void sequences(MeterRegistry registry, String name, String description,
            ToDoubleFunction<ManagerStats> value) {
        FunctionCounter.builder(name, manager, m -> value.applyAsDouble(m.stats()))
                .description(description)
                .register(registry);
    }
}
