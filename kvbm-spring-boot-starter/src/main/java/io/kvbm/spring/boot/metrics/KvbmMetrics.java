package io.kvbm.spring.boot.metrics;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.FunctionTimer;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.MeterBinder;
import org.springframework.beans.factory.ObjectProvider;

import io.kvbm.KvBlockManager;
import io.kvbm.ManagerStats;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.PoolStats;
import io.kvbm.remote.LeaseStats;
import io.kvbm.remote.PeerState;
import io.kvbm.remote.Peering;
import io.kvbm.remote.ReadOutcome;
import io.kvbm.remote.TakeStats;
import io.kvbm.spring.boot.discovery.KvbmCluster;
import io.kvbm.tier.Route;
import io.kvbm.tier.RouteStats;
import io.kvbm.tier.Tiering;

/**
 * The block manager's counters and sizes, per level under the tag {@code tier}, and those of copies between levels
 * under {@code from} and {@code to}; each is read when it is scraped. Of peers it tells how many there are and what was taken from all of them: a series for each would never end.
 */
final class KvbmMetrics implements MeterBinder {

    private final KvBlockManager manager;
    private final ObjectProvider<KvbmCluster> cluster;

    KvbmMetrics(KvBlockManager manager, ObjectProvider<KvbmCluster> cluster) {
        this.manager = manager;
        this.cluster = cluster;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        manager.pools().forEach(pool -> bindPool(registry, pool));
        manager.tiering().ifPresent(tiering -> {
            for (Route route : Route.values()) {
                bindRoute(registry, tiering, route);
            }
        });
        manager.peering().ifPresent(peering -> {
            bindPeering(registry, peering);
            cluster.ifAvailable(member -> bindCluster(registry, member));
        });
        sequences(registry, "kvbm.sequences.opened", "Sequences opened", ManagerStats::sequencesOpened);
        sequences(registry, "kvbm.sequences.leaked", "Sequences that were never closed and were taken back",
                ManagerStats::sequencesLeaked);
        sequences(registry, "kvbm.tokens.requested", "Tokens that sequences were opened with",
                ManagerStats::tokensRequested);
        sequences(registry, "kvbm.tokens.reused", "Tokens that sequences were opened with and whose K/V was found",
                ManagerStats::tokensReused);
        tokens(registry, "computed", stats -> stats.tokensRequested() - stats.tokensReused());
        tokens(registry, "local", stats -> stats.tokensReused() - stats.tokensFromPeers());
        tokens(registry, "p2p", ManagerStats::tokensFromPeers);
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

    private static void bindRoute(MeterRegistry registry, Tiering tiering, Route route) {
        Tags tags = Tags.of("from", route.from().tier(), "to", route.to().tier());
        FunctionTimer.builder("kvbm.tier.copies", tiering, t -> t.stats(route).copies(), t -> t.stats(route).nanos(),
                TimeUnit.NANOSECONDS)
                .tags(tags)
                .description("Copies between levels, and their time")
                .register(registry);
        copied(registry, tiering, route, "kvbm.tier.blocks.copied", "Blocks copied between levels",
                RouteStats::blocks);
        copied(registry, tiering, route, "kvbm.tier.blocks.skipped",
                "Blocks not copied, as too many were waiting or the other level had no room",
                RouteStats::skippedBlocks);
        copied(registry, tiering, route, "kvbm.tier.blocks.failed", "Blocks whose copy to another level failed",
                RouteStats::failedBlocks);
        FunctionCounter.builder("kvbm.tier.bytes", tiering, t -> t.stats(route).bytes())
                .tags(tags)
                .baseUnit("bytes")
                .description("Bytes copied between levels")
                .register(registry);
        Gauge.builder("kvbm.tier.blocks.pending", tiering, t -> t.stats(route).pendingBlocks())
                .tags(tags)
                .description("Blocks that wait to be copied to another level, or are being copied")
                .register(registry);
    }

    private static void copied(MeterRegistry registry, Tiering tiering, Route route, String name, String description,
            ToDoubleFunction<RouteStats> value) {
        FunctionCounter.builder(name, tiering, t -> value.applyAsDouble(t.stats(route)))
                .tags("from", route.from().tier(), "to", route.to().tier())
                .description(description)
                .register(registry);
    }

    private static void bindPeering(MeterRegistry registry, Peering peering) {
        for (PeerState state : List.of(PeerState.LIVE, PeerState.DRAINING, PeerState.LINGER)) {
            Gauge.builder("kvbm.peers", peering,
                    p -> p.peers().stream().filter(peer -> peer.state() == state).count())
                    .tag("state", state.name().toLowerCase(Locale.ROOT))
                    .description("Other instances that are known, by state")
                    .register(registry);
        }
        taken(registry, peering, "kvbm.peer.blocks.proposed", "Blocks that a peer was believed to have",
                TakeStats::proposed);
        taken(registry, peering, "kvbm.peer.blocks.taken", "Blocks taken from peers instead of computed",
                TakeStats::taken);
        taken(registry, peering, "kvbm.peer.blocks.refused",
                "Blocks not taken as their peer was leaving, busy or left alone, or did not answer in time",
                TakeStats::refused);
        taken(registry, peering, "kvbm.peer.blocks.failed", "Blocks not taken for reasons that nobody expects",
                TakeStats::failed);
        FunctionCounter.builder("kvbm.peer.bytes", peering, p -> p.stats().bytesRead())
                .baseUnit("bytes")
                .description("Bytes read from the memory of peers")
                .register(registry);
        for (ReadOutcome reason : ReadOutcome.values()) {
            if (reason != ReadOutcome.TAKEN) {
                FunctionCounter.builder("kvbm.peer.misses", peering,
                        p -> p.stats().misses().getOrDefault(reason, 0L))
                        .tag("reason", reason.name().toLowerCase(Locale.ROOT))
                        .description("Reads from peers that ended early, by reason")
                        .register(registry);
            }
        }
        Gauge.builder("kvbm.index.blocks", peering, p -> p.index().stats().blocks())
                .description("Blocks that peers are believed to hold")
                .register(registry);
        leases(registry, peering, "read", LeaseStats::readLeases);
        leases(registry, peering, "write", LeaseStats::writeLeases);
        Gauge.builder("kvbm.leases.quarantined", peering, p -> p.leases().stats().quarantined())
                .description("Blocks whose writer has not said within its time that it has done")
                .register(registry);
        FunctionCounter.builder("kvbm.leases.expired", peering, p -> p.leases().stats().expired())
                .description("Leases whose time was over before they were ended")
                .register(registry);
        FunctionCounter.builder("kvbm.leases.refused", peering, p -> p.leases().stats().refused())
                .description("Leases refused because too much is leased")
                .register(registry);
    }

    private static void taken(MeterRegistry registry, Peering peering, String name, String description,
            ToDoubleFunction<TakeStats> value) {
        FunctionCounter.builder(name, peering, p -> value.applyAsDouble(p.taker().stats()))
                .description(description)
                .register(registry);
    }

    private static void leases(MeterRegistry registry, Peering peering, String kind,
            ToDoubleFunction<LeaseStats> value) {
        Gauge.builder("kvbm.leases", peering, p -> value.applyAsDouble(p.leases().stats()))
                .tag("kind", kind)
                .description("Leases that other instances have, by kind")
                .register(registry);
    }

    private static void bindCluster(MeterRegistry registry, KvbmCluster cluster) {
        Gauge.builder("kvbm.cluster.addresses", cluster, KvbmCluster::addresses)
                .description("Addresses of other instances that are watched")
                .register(registry);
        Gauge.builder("kvbm.cluster.disputed", cluster, member -> member.disputed().size())
                .description("Worker ids that more than one instance has; none of them is used")
                .register(registry);
        FunctionCounter.builder("kvbm.cluster.refusals", cluster, KvbmCluster::refusals)
                .description("Questions that other instances did not answer as they should")
                .register(registry);
        FunctionCounter.builder("kvbm.cluster.rejected", cluster, KvbmCluster::rejected)
                .description("Questions of other instances that were turned away")
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

    private void tokens(MeterRegistry registry, String source, ToDoubleFunction<ManagerStats> value) {
        FunctionCounter.builder("kvbm.tokens", manager, m -> value.applyAsDouble(m.stats()))
                .tag("source", source)
                .description("Tokens that sequences were opened with, by where their K/V is from")
                .register(registry);
    }

    private void sequences(MeterRegistry registry, String name, String description,
            ToDoubleFunction<ManagerStats> value) {
        FunctionCounter.builder(name, manager, m -> value.applyAsDouble(m.stats()))
                .description(description)
                .register(registry);
    }
}
