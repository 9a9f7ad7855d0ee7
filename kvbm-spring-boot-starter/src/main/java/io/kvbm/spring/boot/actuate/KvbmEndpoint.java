package io.kvbm.spring.boot.actuate;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.actuate.endpoint.Access;
import org.springframework.boot.actuate.endpoint.InvalidEndpointRequestException;
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
     * @param tenant whose; the one without a name where it is empty
     * @param all {@code true} in the place of a tenant, for those of all
     * @throws InvalidEndpointRequestException where it is not said whose
     */
    @DeleteOperation
    public ClearedDescriptor clear(@Nullable String tenant, @Nullable Boolean all) {
        boolean ofAll = Boolean.TRUE.equals(all);
        if (ofAll == (tenant != null)) {
            throw new InvalidEndpointRequestException("Whose blocks are to be cleared is not said: give tenant, or"
                    + " all=true", "Give either tenant or all=true");
        }
        int blocks = tenant == null ? manager.clear() : manager.clear(tenant);
        log.info("{} blocks of {} were cleared, as an operator has asked", blocks,
                ofAll ? "all tenants" : "one tenant");
        return new ClearedDescriptor(blocks);
    }

    /**
     * What was cleared.
     *
     * @param blocks how many blocks are found no more, those of every level counted
     */
    public record ClearedDescriptor(int blocks) {}
}
