package io.kvbm.spring.boot.autoconfigure;

import org.springframework.context.SmartLifecycle;

import io.kvbm.KvBlockManager;

/**
 * Says that the worker leaves before anything else stops: health turns to out of service while the web server still
 * answers, so that nobody new is sent here. {@link KvbmLifecycle} does the rest at the end.
 */
final class KvbmWithdrawal implements SmartLifecycle {

    private final KvBlockManager manager;
    private volatile boolean running;

    KvbmWithdrawal(KvBlockManager manager) {
        this.manager = manager;
    }

    @Override
    public void start() {
        running = true;
    }

    @Override
    public void stop() {
        running = false;
        manager.withdraw();
    }

    @Override
    public boolean isRunning() {
        return running;
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
}
