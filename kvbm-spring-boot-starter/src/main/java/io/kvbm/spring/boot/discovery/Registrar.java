package io.kvbm.spring.boot.discovery;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.serviceregistry.Registration;
import org.springframework.cloud.client.serviceregistry.ServiceRegistry;

import io.kvbm.spring.boot.discovery.KvbmCluster.Publication;
import io.kvbm.time.MonotonicClock;

/**
 * Sees to it that this instance is in the catalog. Spring Cloud registers it when the web server starts, and takes a
 * registration that was refused for one that was not; so what counts here is only whether the catalog lists this
 * instance, and where it does not for a while it is registered again. Called by one thread at a time but for what it
 * tells.
 */
final class Registrar {

    /** Time for which the catalog may not list this instance before it is registered again. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(Registrar.class);

    private final Pointer pointer;
    private final @Nullable Entry entry;
    private final MonotonicClock clock;

    private final AtomicReference<Publication> publication;
    private long missingSince;

    /** This instance in a catalog into which instances register. */
    private record Entry(Registration registration, ServiceRegistry<Registration> registry) {

        private boolean isOf(ServiceInstance instance) {
            return registration.getInstanceId() != null
                    && registration.getInstanceId().equals(instance.getInstanceId());
        }
    }

    /**
     * A registrar.
     *
     * @param registration this instance as it is registered; null where the catalog is a fixed list
     * @param registry where it is registered; null where the catalog is a fixed list
     */
    Registrar(Pointer pointer, @Nullable Registration registration, @Nullable ServiceRegistry<Registration> registry,
            MonotonicClock clock) {
        this.pointer = pointer;
        this.entry = registration == null || registry == null ? null : new Entry(registration, registry);
        this.clock = clock;
        this.publication = new AtomicReference<>(entry == null ? Publication.STATIC : Publication.UNPUBLISHED);
        this.missingSince = clock.nanoTime();
    }

    Publication publication() {
        return publication.get();
    }

    /** Takes what the catalog lists. */
    void listed(List<ServiceInstance> instances) {
        if (entry == null || publication.get() == Publication.WITHDRAWN) {
            return;
        }
        long now = clock.nanoTime();
        if (instances.stream().anyMatch(instance -> pointer.isOf(instance) || entry.isOf(instance))) {
            if (publication.compareAndSet(Publication.UNPUBLISHED, Publication.PUBLISHED)) {
                log.info("Worker {} is in the catalog", Long.toUnsignedString(pointer.workerId()));
            }
            missingSince = now;
        } else {
            if (publication.compareAndSet(Publication.PUBLISHED, Publication.UNPUBLISHED)) {
                missingSince = now;
            }
            if (now - missingSince >= PATIENCE.toNanos()) {
                missingSince = now;
                register(entry);
            }
        }
    }

    private void register(Entry entry) {
        log.warn("The catalog does not list worker {} for {} s; it is registered again. If that goes on, look at the"
                + " catalog's log for why it refuses the registration", Long.toUnsignedString(pointer.workerId()),
                PATIENCE.toSeconds());
        try {
            entry.registry().register(entry.registration());
        } catch (RuntimeException e) {
            log.warn("Worker {} could not be registered again: {}", Long.toUnsignedString(pointer.workerId()),
                    e.getMessage());
        }
        if (publication.get() == Publication.WITHDRAWN) { // a slow catalog may have taken it after it was withdrawn
            deregister(entry);
        }
    }

    /** Takes this instance out of the catalog, and keeps it out. */
    void withdraw() {
        if (entry != null && publication.getAndSet(Publication.WITHDRAWN) != Publication.WITHDRAWN) {
            deregister(entry);
        }
    }

    private void deregister(Entry entry) {
        try {
            entry.registry().deregister(entry.registration());
        } catch (RuntimeException e) {
            log.warn("Worker {} could not be taken out of the catalog: {}",
                    Long.toUnsignedString(pointer.workerId()), e.getMessage());
        }
    }
}
