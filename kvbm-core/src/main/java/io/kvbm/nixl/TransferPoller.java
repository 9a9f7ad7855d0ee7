package io.kvbm.nixl;

import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.PinList;
import io.kvbm.error.ClosedException;
import io.kvbm.error.KvbmException;
import io.kvbm.error.NixlException;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;

/**
 * The thread that asks again and again how far transfers are, which is also what moves them, and those that others make
 * of this worker's memory. A transfer keeps its blocks until NIXL says that all bytes were moved, whoever waits for it;
 * where NIXL says anything else, until its agent is gone.
 */
final class TransferPoller {

    /** Between two looks while others may be at our memory. */
    private static final long SERVING_NANOS = 200_000;

    /** Between two looks while nobody is known to be: an idle worker takes 13 % of a processor at the rate above. */
    private static final long IDLE_NANOS = 2_000_000;

    /** For so long others may be at our memory after they said so, or said anything. */
    private static final long EXPECTED_NANOS = 1_000_000_000;

    private static final long WAIT_NANOS = 1_000_000;
    private static final long DRIVE_NANOS = 20_000_000;
    private static final long AFTER_FAILURE_NANOS = 1_000_000_000;

    private static final Logger log = LoggerFactory.getLogger(TransferPoller.class);

    private final NixlAgent served;
    private final Consumer<List<NixlNotification>> told;
    private final Initiators initiators;
    private final Queue<Flight> flights = new ConcurrentLinkedQueue<>();
    private final Thread thread;
    private volatile boolean stopped;
    private volatile long busyUntil = MonotonicClock.SYSTEM.nanoTime();
    private boolean isServing = true;
    private long serveAgain = MonotonicClock.SYSTEM.nanoTime();
    private long driveAgain = serveAgain;

    /**
     * Starts.
     *
     * @param served the agent by which others reach this worker
     * @param told takes what it is told
     */
    TransferPoller(NixlAgent served, Consumer<List<NixlNotification>> told, Initiators initiators) {
        this.served = served;
        this.told = told;
        this.initiators = initiators;
        this.thread = Thread.ofPlatform().name("kvbm-nixl").daemon().start(this::run);
    }

    /** A transfer that was posted, and the blocks of this worker that it moves. */
    static final class Flight {

        private final Connection connection;
        private final PooledRequest pooled;
        private final PinList pins;
        private final Runnable ended;
        private final Thread caller = Thread.currentThread();
        private volatile boolean isOver;
        private @Nullable KvbmException failure;
        private boolean isAbandoned;

        private Flight(Connection connection, PooledRequest pooled, PinList pins, Runnable ended) {
            this.connection = connection;
            this.pooled = pooled;
            this.pins = pins;
            this.ended = ended;
        }

        /**
         * Returns when all bytes were moved.
         *
         * @throws NixlException where it failed
         * @throws ClosedException where it was closed meanwhile
         * @throws io.kvbm.error.TransferException where the caller may not wait any longer; it goes on
         */
        void await(TransferControl control) {
            while (!isOver) {
                if (!control.mayGoOn()) {
                    abandon();
                    control.check();
                }
                LockSupport.parkNanos(this, WAIT_NANOS);
            }
            if (failure != null) {
                throw failure;
            }
        }

        private synchronized void abandon() {
            if (!isOver && !isAbandoned) {
                isAbandoned = true;
                connection.initiator().abandoned(pins.size());
            }
        }

        /** Whether it is under way. */
        private boolean post(byte[] message) {
            try {
                NixlRequest request = pooled.request();
                NixlRequest.State state = message.length == 0 ? request.post() : request.post(message);
                if (state == NixlRequest.State.ACTIVE) {
                    return true;
                }
                done();
            } catch (NixlException | ClosedException e) {
                giveUp(e);
            }
            return false;
        }

        /** Brings it to its end where it has one; false while it is under way. */
        private boolean look() {
            try {
                if (pooled.request().state() == NixlRequest.State.ACTIVE) {
                    return false;
                }
                done();
            } catch (NixlException | ClosedException e) {
                giveUp(e);
            }
            return true;
        }

        private void done() {
            connection.giveBack(pooled);
            over(pins::close);
        }

        /**
         * Ends it without knowing: one of its ranges has failed, or a transfer beside it, which ends the connection, and
         * NIXL says nothing more of the others.
         */
        private void giveUp(KvbmException why) {
            failure = why;
            NixlRequest request = pooled.request();
            boolean inDoubt = request.isInDoubt();
            try {
                request.cancel();
            } catch (NixlException e) {
                why.addSuppressed(e);
            }
            over(inDoubt ? () -> connection.initiator().hold(pins) : pins::close);
        }

        private synchronized void over(Runnable letGo) {
            if (isAbandoned) {
                connection.initiator().found(pins.size());
            }
            letGo.run();
            isOver = true;
            LockSupport.unpark(caller);
            connection.initiator().end();
            ended.run();
        }
    }

    /**
     * Posts a request. The pins, and what the request was built on, are the flight's from now on, whatever comes of it.
     *
     * @param message what the other agent is told when all bytes were moved; empty for nothing
     * @param ended is told when it is over
     */
    Flight start(Connection connection, PooledRequest request, PinList pins, byte[] message, Runnable ended) {
        Flight flight = new Flight(connection, request, pins, ended);
        connection.initiator().begin();
        if (flight.post(message)) {
            flights.add(flight);
            LockSupport.unpark(thread);
        }
        return flight;
    }

    /** While something is under way it only lets others go first: a sleep takes longer than most transfers. */
    @SuppressWarnings("ThreadPriorityCheck")
    private void run() {
        while (!stopped) {
            try {
                look();
            } catch (RuntimeException e) {
                log.warn("A transfer could not be brought to its end", e);
            }
            if (flights.isEmpty()) {
                boolean busy = MonotonicClock.SYSTEM.nanoTime() - busyUntil < 0;
                LockSupport.parkNanos(this, busy ? SERVING_NANOS : IDLE_NANOS);
            } else {
                Thread.yield();
            }
        }
    }

    private void look() {
        for (Iterator<Flight> each = flights.iterator(); each.hasNext();) {
            Flight flight = each.next();
            if (flight.look()) {
                each.remove();
            }
        }
        long now = MonotonicClock.SYSTEM.nanoTime();
        if (isServing && now - serveAgain >= 0) {
            serve(now);
        }
        if (now - driveAgain >= 0) {
            drive(now);
        }
    }

    /** Moves what others ask for. */
    private void serve(long now) {
        try {
            List<NixlNotification> notifications = served.takeNotifications();
            if (!notifications.isEmpty()) {
                busyUntil = now + EXPECTED_NANOS;
                told.accept(notifications);
            }
        } catch (NixlException e) {
            serveAgain = now + AFTER_FAILURE_NANOS;
            log.warn("What others read of this worker's memory is not driven for a moment: {}", e.getMessage());
        } catch (ClosedException e) {
            isServing = false;
        }
    }

    private void drive(long now) {
        try {
            driveAgain = now + DRIVE_NANOS;
            initiators.drive();
        } catch (NixlException | ClosedException e) {
            driveAgain = now + AFTER_FAILURE_NANOS;
            log.debug("The agent that reaches other workers is not driven for a moment: {}", e.getMessage());
        }
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

    /** Looks no more. */
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
        Initiators.joinUninterruptibly(thread);
    }

    /** Ends what has not ended, once all agents are gone and nothing is moved any more. */
    void release() {
        for (Flight flight = flights.poll(); flight != null; flight = flights.poll()) {
            flight.look();
        }
    }
}
