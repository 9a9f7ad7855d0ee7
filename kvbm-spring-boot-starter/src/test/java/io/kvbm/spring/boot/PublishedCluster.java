package io.kvbm.spring.boot;

import java.time.Duration;
import java.util.Set;

import io.kvbm.spring.boot.discovery.KvbmCluster;

/** A cluster of which everything has a value. */
public final class PublishedCluster implements KvbmCluster {

    @Override
    public Times times() {
        return new Times(Duration.ofSeconds(1), Duration.ofSeconds(1), Duration.ofSeconds(2), Duration.ofSeconds(6),
                Duration.ofSeconds(60));
    }

    @Override
    public Publication publication() {
        return Publication.PUBLISHED;
    }

    @Override
    public int addresses() {
        return 3;
    }

    @Override
    public Set<Long> disputed() {
        return Set.of(9L);
    }

    @Override
    public long refusals() {
        return 1;
    }

    @Override
    public long rejected() {
        return 1;
    }

    @Override
    public String nixl() {
        return "NIXL is not used: no blocks are shared";
    }
}
