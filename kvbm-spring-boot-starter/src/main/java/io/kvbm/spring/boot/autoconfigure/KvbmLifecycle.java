package io.kvbm.spring.boot.autoconfigure;

import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.context.SmartLifecycle;

import io.kvbm.KvBlockManager;

/**
 * Closes the block manager after the web server has answered its last request: refuses new sequences, waits for open
 * ones, then lets the memory go.
 */
final class KvbmLifecycle implements SmartLifecycle {

    /** Far enough below the web server's phases that its requests have ended before. */
    static final int PHASE = DEFAULT_PHASE - 8192;

    private static final Logger log = LoggerFactory.getLogger(KvbmLifecycle.class);

    private final KvBlockManager manager;
    private final Duration drainTimeout;
    private final ObjectProvider<StartupNote> notes;
    private final AtomicBoolean running = new AtomicBoolean();

    KvbmLifecycle(KvBlockManager manager, Duration drainTimeout, ObjectProvider<StartupNote> notes) {
        this.manager = manager;
        this.drainTimeout = drainTimeout;
        this.notes = notes;
    }

    @Override
    public void start() {
        if (manager.isDraining()) {
            throw new IllegalStateException("The block manager of worker "
                    + Long.toUnsignedString(manager.workerId())
                    + " is closed and does not start again; make a new application context");
        }
        if (running.compareAndSet(false, true)) {
            log.info("{}", new StartupReport(manager, notes.orderedStream().toList()));
            manager.ready().whenComplete((_, failure) -> tellRefused(failure));
        }
    }

    @Override
    public void stop() {
        if (running.compareAndSet(true, false)) {
            try {
                drain();
            } finally {
                manager.close();
            }
        }
    }

    @Override
    public void stop(Runnable callback) {
        Thread.ofPlatform().name("kvbm-stop").start(() -> {
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

    /** A pause keeps everything in memory for the next start, and a closed manager never starts again. */
    @Override
    public boolean isPauseable() {
        return false;
    }

    @Override
    public int getPhase() {
        return PHASE;
    }

    private void drain() {
        try {
            if (manager.drain(drainTimeout)) {
                log.info("All {} sequences of worker {} have ended and no handle is left, so its cache is closed",
                        manager.stats().sequencesOpened(), Long.toUnsignedString(manager.workerId()));
            } else {
                tellOpen("after " + drainTimeout);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            if (open() > 0) {
                tellOpen("as the stop was interrupted");
            }
        }
    }

    private void tellOpen(String when) {
        log.warn("Sequences open {}: {}, handles and pins: {}; the cache refuses new requests and its memory goes with"
                + " the last of them", when, manager.stats().openSequences(), open());
    }

    private long open() {
        return manager.pools().stream().mapToLong(pool -> pool.stats().holders()).sum();
    }

    /** Closing while memory is being reserved ends that too, and is no failure. */
    private void tellRefused(@Nullable Throwable failure) {
        if (failure != null && !manager.isDraining()) {
            Throwable cause = failure instanceof CompletionException && failure.getCause() != null
                    ? failure.getCause()
                    : failure;
            manager.pools()
                    .stream()
                    .filter(pool -> pool.stats().usable() < pool.totalBlocks())
                    .forEach(pool -> log.warn("Level {} has memory for {} of {} blocks and works with those: {}",
                            pool.blocks().level().tier(), pool.stats().usable(), pool.totalBlocks(),
                            cause.getMessage()));
        }
    }
}
