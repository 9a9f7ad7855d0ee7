package io.kvbm.nixl;

import java.util.Iterator;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.PinList;
import io.kvbm.error.ClosedException;
import io.kvbm.error.NixlException;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;

/**
 * The thread that asks an agent again and again how far its transfers are, which is also what moves them, and those that
 * others make of its memory. A transfer keeps its blocks until NIXL says that it has ended, whoever waits for it.
 */
final class TransferPoller {

    /** Between two looks while nothing of our own is under way; others may read our memory. */
    private static final long IDLE_NANOS = 200_000;

    private static final long WAIT_NANOS = 1_000_000;
    private static final long SERVE_AGAIN_NANOS = 1_000_000_000;

    private static final Logger log = LoggerFactory.getLogger(TransferPoller.class);

    private final NixlAgent agent;
    private final Queue<Flight> flights = new ConcurrentLinkedQueue<>();
    private final Queue<PinList> lost = new ConcurrentLinkedQueue<>();
    private final AtomicInteger abandoned = new AtomicInteger();
    private final Thread thread;
    private volatile boolean stopped;
    private long serveAgain = MonotonicClock.SYSTEM.nanoTime();

    TransferPoller(NixlAgent agent) {
        this.agent = agent;
        this.thread = Thread.ofPlatform().name("kvbm-nixl").daemon().start(this::run);
    }

    /** A transfer that was posted, and the blocks that it writes. */
    final class Flight {

        private final NixlRequest request;
        private final PinList pins;
        private final Runnable ended;
        private final Thread caller = Thread.currentThread();
        private volatile boolean isOver;
        private @Nullable NixlException failure;
        private boolean isAbandoned;

        private Flight(NixlRequest request, PinList pins, Runnable ended) {
            this.request = request;
            this.pins = pins;
            this.ended = ended;
        }

        /**
         * Returns when all bytes were moved.
         *
         * @throws NixlException where it failed
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
            if (!isOver) {
                isAbandoned = true;
                abandoned.addAndGet(pins.size());
            }
        }

        /** Brings it to its end where it has one; false while it is under way. */
        private boolean look() {
            try {
                if (request.state() == NixlRequest.State.ACTIVE) {
                    return false;
                }
            } catch (NixlException e) {
                failure = e;
            } catch (ClosedException e) {
                log.debug("A transfer was closed by others: {}", e.getMessage());
            }
            if (request.isCutOff()) {
                lose();
            } else {
                end();
            }
            return true;
        }

        private void end() {
            try {
                request.cancel();
            } catch (NixlException e) {
                log.warn("A transfer that has ended was not given back cleanly: {}", e.getMessage());
                lose();
                return;
            }
            pins.close();
            over(0);
        }

        /**
         * Gives it up, as NIXL says nothing more of it: a transfer beside it has failed, which ends the connection. Its
         * bytes may still arrive as long as there is the agent, so long its blocks are held.
         */
        private void lose() {
            lost.add(pins);
            if (failure == null) {
                failure = new NixlException(NixlException.Kind.DISCONNECTED, "nixl_capi_get_xfer_status", null,
                        request + " was closed while it was under way; nothing more is known of it");
            }
            over(pins.size());
        }

        private synchronized void over(int held) {
            abandoned.addAndGet(isAbandoned ? held - pins.size() : held);
            isOver = true;
            LockSupport.unpark(caller);
            ended.run();
        }
    }

    /**
     * Posts a request. It closes the request and the pins when it has ended.
     *
     * @param ended is told then
     * @throws NixlException where it cannot be posted: then the request is closed, the pins are the caller's, and nobody
     *         is told
     */
    Flight start(NixlRequest request, PinList pins, Runnable ended) {
        Flight flight = new Flight(request, pins, ended);
        NixlRequest.State state;
        try {
            state = request.post();
        } catch (RuntimeException | Error e) {
            request.cancel();
            throw e;
        }
        if (state == NixlRequest.State.ACTIVE) {
            flights.add(flight);
            LockSupport.unpark(thread);
        } else {
            flight.end();
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
                LockSupport.parkNanos(this, IDLE_NANOS);
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
        if (MonotonicClock.SYSTEM.nanoTime() - serveAgain >= 0) {
            serve();
        }
    }

    /** Moves what others ask for. */
    private void serve() {
        try {
            var _ = agent.takeNotifications();
        } catch (NixlException e) {
            serveAgain = MonotonicClock.SYSTEM.nanoTime() + SERVE_AGAIN_NANOS;
            log.warn("What others read of this worker's memory is not driven for a moment: {}", e.getMessage());
        }
    }

    /** The number of blocks that transfers may still write that nobody waits for any more. */
    int abandoned() {
        return abandoned.get();
    }

    /** Looks no more. */
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends what has not ended, once the agent is gone and nothing can arrive any more. */
    void release() {
        for (Flight flight = flights.poll(); flight != null; flight = flights.poll()) {
            flight.end();
        }
        for (PinList pins = lost.poll(); pins != null; pins = lost.poll()) {
            abandoned.addAndGet(-pins.size());
            pins.close();
        }
    }
}
