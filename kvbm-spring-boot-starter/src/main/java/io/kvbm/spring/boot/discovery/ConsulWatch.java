package io.kvbm.spring.boot.discovery;

import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.cloud.consul.ConsulClient;
import org.springframework.cloud.consul.ConsulClient.QueryParams;
import org.springframework.cloud.consul.model.http.ConsulHeaders;
import org.springframework.context.SmartLifecycle;

/**
 * Waits for Consul to say that the instances of a service have changed, and has them looked at, at once. That is quicker
 * than the next poll, and nothing else depends on it: the poll goes on, whatever becomes of the question here.
 */
final class ConsulWatch implements SmartLifecycle, DisposableBean {

    /** How long Consul is to hold back its answer while nothing changes. */
    private static final Duration WAIT = Duration.ofSeconds(10);

    /** Between two questions, so that a service whose checks flap is not asked without end. */
    private static final Duration PAUSE = Duration.ofMillis(100);

    /** Pauses after a question that failed. */
    private static final int LONG_PAUSE = 20;

    private static final Logger log = LoggerFactory.getLogger(ConsulWatch.class);

    private final @Nullable ConsulClient consul;
    private final @Nullable String token;
    private final String service;
    private final Runnable changed;
    private @Nullable ScheduledExecutorService questions;
    private long index;
    private int pauses;

    /**
     * A watch.
     *
     * @param consul null where nothing is to be watched
     * @param token of Consul's access control; null where there is none
     * @param changed what to do when instances of the service have come, gone, or become healthy or not
     */
    ConsulWatch(@Nullable ConsulClient consul, @Nullable String token, String service, Runnable changed) {
        this.consul = consul;
        this.token = token;
        this.service = service;
        this.changed = changed;
    }

    private void ask(ConsulClient consul) {
        if (pauses > 0) {
            pauses--;
            return;
        }
        try {
            Long now = ConsulHeaders.getConsulIndex(consul.getHealthServices(service, false, token, null,
                    new QueryParams(WAIT.toSeconds(), index)));
            if (now != null && now != index) {
                index = now < index ? 0 : now; // it goes back where Consul was started anew
                changed.run();
            }
        } catch (RuntimeException e) {
            log.debug("Consul does not say when instances change, so they are polled only: {}", e.toString());
            index = 0;
            pauses = LONG_PAUSE;
        }
    }

    @Override
    public void start() {
        if (questions == null && consul != null) {
            questions = Executors.newSingleThreadScheduledExecutor(
                    Thread.ofPlatform().name("kvbm-consul").daemon().factory());
            var _ = questions.scheduleWithFixedDelay(() -> ask(consul), 0, PAUSE.toMillis(),
                    TimeUnit.MILLISECONDS);
        }
    }

    @Override
    public void stop() {
        if (questions != null) {
            questions.shutdownNow();
            questions = null;
        }
    }

    @Override
    public void destroy() {
        stop();
    }

    @Override
    public boolean isRunning() {
        return questions != null;
    }
}
