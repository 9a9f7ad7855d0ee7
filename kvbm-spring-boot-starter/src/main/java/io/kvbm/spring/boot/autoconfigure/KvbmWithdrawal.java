package io.kvbm.spring.boot.autoconfigure;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

import io.kvbm.KvBlockManager;
import io.kvbm.remote.PeerState;
import io.kvbm.time.MonotonicClock;

/**
 * Says that the worker leaves, and lets the web server answer for a while with health out of service, so that whoever
 * sends requests here finds out and sends them to another instance. A web server that stops at once resets the connections
 * that the system has taken for it meanwhile. {@link KvbmLifecycle} does the rest at the end.
 */
final class KvbmWithdrawal implements SmartLifecycle {

    /** Below whatever takes this instance out of a catalog, and above the web server's phases, so stopped between them. */
    static final int PHASE = DEFAULT_PHASE - 512;

    /** Twice the time that other instances take to find out. */
    static final Duration DELAY = Duration.ofSeconds(2);

    private static final Duration LOOK = Duration.ofMillis(50);

    private static final Logger log = LoggerFactory.getLogger(KvbmWithdrawal.class);

    private final KvBlockManager manager;
    private final Duration amongOthers;
    private final Duration alone;
    private final Duration phaseTimeout;
    private final AtomicBoolean running = new AtomicBoolean();

    /**
     * A withdrawal.
     *
     * @param amongOthers time for which the web server still answers, as long as another instance shares blocks
     * @param alone and where there is none, so that nobody is known who could take over
     * @param phaseTimeout after which Spring goes on without this
     */
    KvbmWithdrawal(KvBlockManager manager, Duration amongOthers, Duration alone, Duration phaseTimeout) {
        this.manager = manager;
        this.amongOthers = amongOthers;
        this.alone = alone;
        this.phaseTimeout = phaseTimeout;
    }

    @Override
    public void start() {
        if (running.compareAndSet(false, true) && alone.compareTo(phaseTimeout) >= 0) {
            log.warn("The web server will stop {} after this instance has left, although kvbm.shutdown.delay is {}; set"
                    + " spring.lifecycle.timeout-per-shutdown-phase to more than that", phaseTimeout, alone);
        }
    }

    @Override
    public void stop() {
        if (running.compareAndSet(true, false)) {
            manager.withdraw();
            pause();
        }
    }

    @Override
    public void stop(Runnable callback) {
        Thread.ofVirtual().name("kvbm-withdrawal").start(() -> {
            try {
                stop();
            } finally {
                callback.run();
            }
        });
    }

    @Override
    public boolean isRunning() {
        return running.get();
    }

    @Override
    public boolean isPauseable() {
        return false;
    }

    @Override
    public int getPhase() {
        return PHASE;
    }

    private void pause() {
        long start = MonotonicClock.SYSTEM.nanoTime();
        try {
            while (MonotonicClock.SYSTEM.nanoTime() - start < (isAmongOthers() ? amongOthers : alone).toNanos()) {
                Thread.sleep(LOOK);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean isAmongOthers() {
        return manager.peering()
                .stream()
                .flatMap(peering -> peering.peers().stream())
                .anyMatch(peer -> peer.state() == PeerState.LIVE);
    }
}
