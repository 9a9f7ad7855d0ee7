package io.kvbm.nixl;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.ClosedException;
import io.kvbm.error.NixlException;
import io.kvbm.time.MonotonicClock;

/**
 * The thread that does this worker's part of what others move in its memory, and takes what they tell it.
 */
final class MemoryServer {

    /** Between two looks while others may be at our memory. */
    private static final long SERVING_NANOS = 200_000;

    /** Between two looks while nobody is known to be: an idle worker takes 13 % of a processor at the rate above. */
    private static final long IDLE_NANOS = 2_000_000;

    /** For so long others may be at our memory after they said so, or said anything. */
    private static final long EXPECTED_NANOS = 1_000_000_000;

    private static final long AFTER_FAILURE_NANOS = 1_000_000_000;

    private static final Duration MOST_TO_END = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(MemoryServer.class);

    private final NixlAgent agent;
    private final Consumer<List<NixlNotification>> told;
    private final Runnable alsoDo;
    private final Thread thread;
    private volatile boolean stopped;
    private volatile long busyUntil = MonotonicClock.SYSTEM.nanoTime();

    /**
     * Starts.
     *
     * @param agent by which others reach this worker
     * @param told takes what it is told
     * @param alsoDo is done some hundred times a second
     */
    MemoryServer(NixlAgent agent, Consumer<List<NixlNotification>> told, Runnable alsoDo) {
        this.agent = agent;
        this.told = told;
        this.alsoDo = alsoDo;
        this.thread = Thread.ofPlatform().name("kvbm-nixl-server").daemon().start(this::run);
    }

    private void run() {
        while (!stopped) {
            long pause = IDLE_NANOS;
            try {
                alsoDo.run();
                pause = serve();
            } catch (ClosedException e) {
                pause = AFTER_FAILURE_NANOS;
            } catch (NixlException e) {
                pause = AFTER_FAILURE_NANOS;
                log.warn("What others read of this worker's memory is not driven for a moment: {}", e.getMessage());
            } catch (RuntimeException | Error e) {
                log.error("What others have moved or told could not be taken", e);
            }
            LockSupport.parkNanos(this, pause);
        }
    }

    /** How long to wait afterwards. */
    private long serve() {
        List<NixlNotification> notifications = agent.takeNotifications();
        long now = MonotonicClock.SYSTEM.nanoTime();
        if (!notifications.isEmpty()) {
            busyUntil = now + EXPECTED_NANOS;
            told.accept(notifications);
        }
        return now - busyUntil < 0 ? SERVING_NANOS : IDLE_NANOS;
    }

    /** Looks often for a while. */
    void expect() {
        long now = MonotonicClock.SYSTEM.nanoTime();
        boolean wasIdle = now - busyUntil >= 0;
        busyUntil = now + EXPECTED_NANOS;
        if (wasIdle) {
            LockSupport.unpark(thread);
        }
    }

    /** Looks no more, and waits until it does. */
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
        try {
            if (!thread.join(MOST_TO_END)) {
                log.error("{} does not come back from NIXL", agent);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
