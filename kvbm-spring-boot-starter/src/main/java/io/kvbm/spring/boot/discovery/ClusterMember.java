package io.kvbm.spring.boot.discovery;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.context.SmartLifecycle;

import io.kvbm.KvBlockManager;
import io.kvbm.remote.Peering;
import io.kvbm.remote.Reconciler;
import io.kvbm.time.MonotonicClock;

/**
 * Keeps this instance in the cluster: looks into the catalog, has the reconciler ask whoever is listed, and sees to it
 * that this instance is listed itself. A catalog that hangs or fails delays nothing else, and changes nothing.
 *
 * <pre>
 *   every 250 ms     peering.advance, reconciler.step     one thread; a virtual one for each question
 *   every poll       catalog -> registrar, reconciler     a virtual thread, one at a time
 *   on a change      the same, where the catalog tells of it
 * </pre>
 */
final class ClusterMember implements KvbmCluster, SmartLifecycle, DisposableBean {

    /** Time between two steps. */
    static final Duration STEP = Duration.ofMillis(250);

    /** Time after which nothing is expected of a look into the catalog any more. */
    static final Duration HOPELESS = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(ClusterMember.class);

    private final KvBlockManager manager;
    private final @Nullable Reconciler reconciler;
    private final DiscoveryClient catalog;
    private final Registrar registrar;
    private final String service;
    private final String path;
    private final Times times;
    private final LongSupplier rejected;
    private final String nixl;

    private final AtomicBoolean running = new AtomicBoolean();
    private final AtomicReference<@Nullable Poll> polling = new AtomicReference<>();
    private final LongAdder failedPolls = new LongAdder();
    private volatile boolean catalogFails;
    private @Nullable ScheduledExecutorService steps;
    private volatile @Nullable ExecutorService questions;

    /** A look into the catalog, which a host that is gone may never answer. */
    private record Poll(Thread thread, long since) {

        void endIfHopeless(long now) {
            if (now - since >= HOPELESS.toNanos()) {
                thread.interrupt();
            }
        }
    }

    /**
     * A member.
     *
     * @param reconciler of the manager's peers; null where the manager shares nothing
     * @param nixl what there is of NIXL
     */
    ClusterMember(KvBlockManager manager, @Nullable Reconciler reconciler, DiscoveryClient catalog,
            Registrar registrar, String service, String path, Times times, LongSupplier rejected,
            String nixl) {
        this.manager = manager;
        this.reconciler = reconciler;
        this.catalog = catalog;
        this.registrar = registrar;
        this.service = service;
        this.path = path;
        this.times = times;
        this.rejected = rejected;
        this.nixl = nixl;
    }

    // ---------------------------------------------------------------------------------------------- lifecycle

    @Override
    public void start() {
        if (reconciler == null || !running.compareAndSet(false, true)) {
            return;
        }
        ExecutorService each = Executors
                .newThreadPerTaskExecutor(Thread.ofVirtual().name("kvbm-peer-", 0).factory());
        ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name("kvbm-cluster").daemon().factory());
        var _ = timer.scheduleWithFixedDelay(() -> step(manager.peering().orElseThrow(), reconciler, each), 0,
                STEP.toMillis(),
                TimeUnit.MILLISECONDS);
        var _ = timer.scheduleAtFixedRate(() -> each.execute(this::poll), 0, times.pollInterval().toMillis(),
                TimeUnit.MILLISECONDS);
        steps = timer;
        questions = each;
    }

    /** Whatever one step throws, the next one is made. */
    private static void step(Peering peering, Reconciler reconciler, ExecutorService questions) {
        try {
            peering.advance();
            reconciler.step(questions);
        } catch (RuntimeException e) {
            log.warn("A step of the cluster failed; the next one is made all the same", e);
        }
    }

    /** Leaves the catalog first, then tells whoever asks; peers find out before the web server stops. */
    @Override
    public void stop() {
        if (running.compareAndSet(true, false)) {
            registrar.withdraw();
            manager.withdraw();
        }
    }

    /** Until here the time of leases goes on, for which the manager waits when it drains. */
    @Override
    public void destroy() {
        Optional.ofNullable(steps).ifPresent(ExecutorService::shutdownNow);
        Optional.ofNullable(questions).ifPresent(ExecutorService::shutdownNow);
    }

    @Override
    public boolean isRunning() {
        return running.get();
    }

    @Override
    public boolean isPauseable() {
        return false;
    }

    /** Above the web server's phases, so stopped before them. */
    @Override
    public int getPhase() {
        return DEFAULT_PHASE;
    }

    // ---------------------------------------------------------------------------------------------- catalog

    /** The name under which the instances are listed. */
    String service() {
        return service;
    }

    /** Looks into the catalog now, as somebody says that it has changed. */
    void look() {
        ExecutorService each = questions;
        if (each != null && running.get()) {
            each.execute(this::poll);
        }
    }

    private void poll() {
        Poll current = new Poll(Thread.currentThread(), MonotonicClock.SYSTEM.nanoTime());
        Poll earlier = polling.compareAndExchange(null, current);
        if (earlier != null) { // the catalog has not answered yet
            earlier.endIfHopeless(current.since());
            return;
        }
        try {
            List<ServiceInstance> instances = catalog.getInstances(service);
            if (catalogFails) {
                log.info("The catalog answers again");
            }
            catalogFails = false;
            registrar.listed(instances);
            if (reconciler != null) {
                reconciler.listed(instances.stream()
                        .filter(Pointer::mayBeWorker)
                        .map(instance -> Pointer.address(instance, path))
                        .distinct()
                        .toList());
            }
        } catch (RuntimeException e) {
            failedPolls.increment();
            if (!catalogFails && running.get()) {
                log.warn("The catalog does not answer; who is known stays known: {}", e.toString());
            }
            catalogFails = true;
        } finally {
            polling.set(null);
        }
    }

    // ---------------------------------------------------------------------------------------------- what is known

    @Override
    public Times times() {
        return times;
    }

    @Override
    public Publication publication() {
        return reconciler == null ? Publication.NONE : registrar.publication();
    }

    @Override
    public int addresses() {
        return reconciler == null ? 0 : reconciler.addresses();
    }

    @Override
    public Set<Long> disputed() {
        return reconciler == null ? Set.of() : reconciler.disputed();
    }

    @Override
    public long refusals() {
        return reconciler == null ? 0 : reconciler.refusals();
    }

    @Override
    public long rejected() {
        return rejected.getAsLong();
    }

    @Override
    public String nixl() {
        return nixl;
    }

    /** The number of looks into the catalog that failed. */
    long failedPolls() {
        return failedPolls.sum();
    }
}
