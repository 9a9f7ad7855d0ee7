package io.kvbm.spring.boot.autoconfigure;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

import io.kvbm.KvBlockManager;
import io.kvbm.layout.BlockLayout;
import io.kvbm.pool.BlockPool;

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
    private final AtomicBoolean running = new AtomicBoolean();

    KvbmLifecycle(KvBlockManager manager, Duration drainTimeout) {
        this.manager = manager;
        this.drainTimeout = drainTimeout;
    }

    @Override
    public void start() {
        if (running.compareAndSet(false, true)) {
            log.info("KV cache of worker {}: {}", Long.toUnsignedString(manager.workerId()), describe());
        }
    }

    @Override
    public void stop() {
        if (running.compareAndSet(true, false)) {
            drain();
            manager.close();
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

    @Override
    public int getPhase() {
        return PHASE;
    }

    private void drain() {
        try {
            if (!manager.drain(drainTimeout)) {
                log.warn("{} sequences are still open after {}; the cache closes under them",
                        manager.stats().openSequences(), drainTimeout);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private String describe() {
        StringBuilder text = new StringBuilder();
        for (BlockPool pool : manager.pools()) {
            BlockLayout layout = pool.blocks().memory().layout();
            text.append(pool.totalBlocks())
                    .append(" blocks of ")
                    .append(layout.pageSize())
                    .append(" tokens and ")
                    .append(layout.bytesPerBlock())
                    .append(" bytes in ")
                    .append(pool.blocks().memory().storages().getFirst())
                    .append(", ");
        }
        return text.append("identity ")
                .append(manager.model().identityKind())
                .append(", fingerprint ")
                .append(manager.fingerprint().toString(), 0, 16)
                .toString();
    }
}
