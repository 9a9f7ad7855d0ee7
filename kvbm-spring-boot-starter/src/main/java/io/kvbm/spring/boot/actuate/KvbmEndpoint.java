package io.kvbm.spring.boot.actuate;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.actuate.endpoint.Access;
import org.springframework.boot.actuate.endpoint.annotation.DeleteOperation;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;

import io.kvbm.KvBlockManager;
import io.kvbm.spring.boot.discovery.KvbmCluster;

/** The block manager at this moment, and a way to have it forget what it holds where that access was granted. */
@Endpoint(id = "kvbm", defaultAccess = Access.READ_ONLY)
public final class KvbmEndpoint {

    private static final Logger log = LoggerFactory.getLogger(KvbmEndpoint.class);

    private final KvBlockManager manager;
    private final ObjectProvider<KvbmCluster> cluster;

    KvbmEndpoint(KvBlockManager manager, ObjectProvider<KvbmCluster> cluster) {
        this.manager = manager;
        this.cluster = cluster;
    }

    /** The block manager at this moment. */
    @ReadOperation
    public ManagerDescriptor manager() {
        return ManagerDescriptor.of(manager, cluster.getIfAvailable());
    }

    /**
     * Makes blocks unfindable on this instance, on every level. Requests under way go on with those that they hold.
     *
     * @param tenant whose; all where it is left out, and the one without a name where it is empty
     */
    @DeleteOperation
    public ClearedDescriptor clear(@Nullable String tenant) {
        int blocks = tenant == null ? manager.clear() : manager.clear(tenant);
        log.info("{} blocks of {} were cleared, as an operator has asked", blocks,
                tenant == null ? "all tenants" : "one tenant");
        return new ClearedDescriptor(blocks);
    }

    /**
     * What was cleared.
     *
     * @param blocks how many blocks are found no more, those of every level counted
     */
    public record ClearedDescriptor(int blocks) {}
}
