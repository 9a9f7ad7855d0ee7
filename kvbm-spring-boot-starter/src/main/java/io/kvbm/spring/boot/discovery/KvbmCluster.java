package io.kvbm.spring.boot.discovery;

import java.time.Duration;
import java.util.Set;

/** What this instance knows of the cluster beyond its peers, which {@link io.kvbm.remote.Peering} has. */
public interface KvbmCluster {

    /** Whether others can find this instance in the catalog. */
    enum Publication {
        /** Nothing is shared, so nothing is published. */
        NONE,
        /** The catalog is a fixed list, into which nobody registers. */
        STATIC,
        /** Registered or about to be, but not seen in the catalog yet, or not any more. */
        UNPUBLISHED,
        /** Seen in the catalog. */
        PUBLISHED,
        /** Taken out of the catalog, as this instance is about to stop. */
        WITHDRAWN
    }

    /**
     * The times by which other instances are looked for and let go.
     *
     * @param pollInterval between two looks into the catalog
     * @param askInterval between two questions to an instance that answers
     * @param timeout within which an answer has to be there
     * @param deadAfter without an answer, after which an instance is let go
     * @param absentAfter after which an instance is let go that answers but is in no catalog
     */
    record Times(Duration pollInterval, Duration askInterval, Duration timeout, Duration deadAfter,
            Duration absentAfter) {}

    /** The times by which other instances are looked for and let go. */
    Times times();

    /** Whether others can find this instance. */
    Publication publication();

    /** The number of addresses that are watched. */
    int addresses();

    /** Worker ids that more than one instance has, unsigned; none of them is used. */
    Set<Long> disputed();

    /** The number of questions of this instance that were not answered, or with something that was refused. */
    long refusals();

    /** The number of questions of others that were turned away before they were read. */
    long rejected();

    /** One line that says which NIXL is used and how, or why none is. */
    String nixl();
}
