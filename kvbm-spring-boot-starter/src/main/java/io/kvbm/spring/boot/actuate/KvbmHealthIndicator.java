package io.kvbm.spring.boot.actuate;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.health.contributor.AbstractHealthIndicator;
import org.springframework.boot.health.contributor.Health;

import io.kvbm.KvBlockManager;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.PoolStats;
import io.kvbm.remote.Peering;
import io.kvbm.spring.boot.discovery.KvbmCluster;

/**
 * Whether the cache can be used, from counters alone: down where no block has memory and none will get any, up where
 * only the blocks on a GPU have lost theirs, as the others work on, out of service from the moment the application stops, up otherwise.
 */
final class KvbmHealthIndicator extends AbstractHealthIndicator {

    private final KvBlockManager manager;
    private final ObjectProvider<KvbmCluster> cluster;

    KvbmHealthIndicator(KvBlockManager manager, ObjectProvider<KvbmCluster> cluster) {
        super("The KV-cache block manager could not be asked");
        this.manager = manager;
        this.cluster = cluster;
    }

    @Override
    protected void doHealthCheck(Health.Builder builder) {
        CompletableFuture<Void> ready = manager.ready().toCompletableFuture();
        boolean anyUsable = manager.pools().isEmpty();
        for (BlockPool pool : manager.pools()) {
            PoolStats stats = pool.stats();
            boolean lost = pool.blocks().isLost();
            anyUsable |= !lost && (stats.usable() > 0 || !ready.isDone());
            builder.withDetail(pool.blocks().level().tier(), details(stats, lost));
        }
        if (ready.isCompletedExceptionally()) {
            builder.withDetail("memory", String.valueOf(ready.exceptionNow().getMessage()));
        }
        manager.peering().ifPresent(peering -> builder.withDetail("peers", peers(peering)));
        cluster.ifAvailable(member -> builder.withDetail("publication", member.publication().name()));
        if (manager.isWithdrawn()) {
            builder.outOfService();
        } else if (anyUsable) {
            builder.up();
        } else {
            builder.down();
        }
    }

    /** How many there are in each state; none of them makes this instance worse. */
    private static Map<String, Long> peers(Peering peering) {
        return peering.peers()
                .stream()
                .collect(Collectors.groupingBy(peer -> peer.state().name(), TreeMap::new,
                        Collectors.counting()));
    }

    private static Map<String, Object> details(PoolStats stats, boolean lost) {
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("total", stats.total());
        details.put("usable", stats.usable());
        details.put("available", stats.available());
        details.put("held", stats.active() + stats.owned() + stats.unlisted());
        if (lost) {
            details.put("lost", true);
        }
        return details;
    }
}
