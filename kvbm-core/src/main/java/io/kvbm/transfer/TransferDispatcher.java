package io.kvbm.transfer;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;

import io.kvbm.block.PinList;
import io.kvbm.error.ClosedException;
import io.kvbm.error.KvbmException;
import io.kvbm.error.TransferException;
import io.kvbm.time.MonotonicClock;

/**
 * Checks transfer requests and hands each to the engine that its storage kinds ask for, in the caller's thread or in
 * one of its own.
 *
 * <p>
 * Nothing is moved before the whole request was checked. All blocks are pinned from the call until no byte is written
 * any more, so that closing a handle during the transfer does no harm.
 */
public final class TransferDispatcher implements AutoCloseable {

    private final List<TransferEngine> engines;
    private final MonotonicClock clock;
    private final Duration timeout;
    private final boolean checkAddresses;
    private final int maxInFlight;
    private final Semaphore inFlight;
    private final ExecutorService threads;

    private TransferDispatcher(Builder builder) {
        this.engines = List.copyOf(builder.engines);
        this.clock = builder.clock;
        this.timeout = builder.timeout;
        this.checkAddresses = builder.checkAddresses;
        this.maxInFlight = builder.maxInFlight;
        this.inFlight = new Semaphore(maxInFlight);
        this.threads = Executors.newFixedThreadPool(builder.threads,
                Thread.ofPlatform().name("kvbm-transfer-", 0).daemon().factory());
    }

    /** Starts a dispatcher with the host's own engine. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Moves the bytes in the calling thread, within the dispatcher's own time limit.
     *
     * @throws TransferException where the request is not valid, or the transfer failed or ran out of time
     * @throws ClosedException where a block's handle or the dispatcher is closed
     */
    public void execute(TransferRequest request) {
        execute(request, new TransferControl(clock, timeout));
    }

    /**
     * Moves the bytes in the calling thread, as long as it may go on.
     *
     * @throws TransferException where the request is not valid, or the transfer failed or may not go on
     * @throws ClosedException where a block's handle or the dispatcher is closed
     */
    public void execute(TransferRequest request, TransferControl control) {
        if (threads.isShutdown()) {
            throw dispatcherClosed();
        }
        TransferStrategy strategy = validate(request);
        Pins pins = new Pins(request);
        try (TransferHold hold = new TransferHold(pins::close)) {
            move(pins.plan(strategy, hold), control);
        }
    }

    /**
     * Moves the bytes in a thread of the dispatcher.
     *
     * @param limit the time within which it has to be over
     * @throws TransferException at once where the request is not valid, or {@code TOO_MANY_IN_FLIGHT}
     * @throws ClosedException where a block's handle or the dispatcher is closed
     */
    public Transfer submit(TransferRequest request, Duration limit) {
        TransferStrategy strategy = validate(request);
        acquire();
        Pins pins;
        try {
            pins = new Pins(request);
        } catch (RuntimeException | Error e) {
            inFlight.release();
            throw e;
        }
        TransferHold hold = new TransferHold(pins::close);
        return start(control -> move(pins.plan(strategy, hold), control), hold::close, limit);
    }

    /**
     * Lets work move bytes in a thread of the dispatcher. It keeps the blocks that it moves from being reused itself.
     *
     * @param limit the time within which it has to be over
     * @throws TransferException {@code TOO_MANY_IN_FLIGHT}
     * @throws ClosedException where the dispatcher is closed
     */
    public Transfer submit(TransferWork work, Duration limit) {
        acquire();
        return start(work, () -> {}, limit);
    }

    private void acquire() {
        if (!inFlight.tryAcquire()) {
            throw new TransferException(TransferException.Kind.TOO_MANY_IN_FLIGHT,
                    maxInFlight + " transfers are under way, which is the limit; wait for one to complete");
        }
    }

    private Transfer start(TransferWork work, Runnable release, Duration limit) {
        Transfer transfer = new Transfer(new TransferControl(clock, limit));
        try {
            threads.execute(() -> run(work, release, transfer));
            return transfer;
        } catch (RejectedExecutionException e) {
            release(release);
            throw dispatcherClosed();
        } catch (RuntimeException | Error e) {
            release(release);
            throw e;
        }
    }

    /** {@link #submit(TransferRequest, Duration)} with the dispatcher's own time limit. */
    public Transfer submit(TransferRequest request) {
        return submit(request, timeout);
    }

    /** The number of submitted transfers that are not over. */
    public int inFlight() {
        return maxInFlight - inFlight.availablePermits();
    }

    /** Accepts no further transfers and lets those under way finish. */
    @Override
    public void close() {
        threads.shutdown();
    }

    private static ClosedException dispatcherClosed() {
        return new ClosedException("The transfer dispatcher is closed; transfer before the manager is closed");
    }

    private void run(TransferWork work, Runnable release, Transfer transfer) {
        Throwable failure = null;
        try {
            try {
                work.run(transfer.control());
            } finally {
                release(release);
            }
        } catch (RuntimeException | Error e) {
            failure = e;
        }
        transfer.over(failure);
    }

    private void release(Runnable release) {
        try {
            release.run();
        } finally {
            inFlight.release();
        }
    }

    /** Lets work move bytes in the calling thread, within the dispatcher's own time limit. */
    public void execute(TransferWork work) {
        if (threads.isShutdown()) {
            throw dispatcherClosed();
        }
        work.run(new TransferControl(clock, timeout));
    }

    private TransferStrategy validate(TransferRequest request) {
        request.validateBlocks();
        request.validateShapes();
        if (checkAddresses) {
            request.validateAddresses();
        }
        return request.strategy();
    }

    private void move(TransferPlan plan, TransferControl control) {
        TransferEngine engine = engines.stream()
                .filter(e -> e.supports(plan.strategy()))
                .findFirst()
                .orElseThrow(() -> new TransferException(TransferException.Kind.INCOMPATIBLE_TYPES,
                        "No engine moves bytes by " + plan.strategy() + ", as block " + plan.sources().getFirst().id()
                                + " to block " + plan.destinations().getFirst().id() + " would need"));
        TransferEvent event = TransferEvent.begun();
        boolean moved = false;
        try {
            engine.transfer(plan, control);
            moved = true;
        } catch (KvbmException e) {
            throw e;
        } catch (RuntimeException e) {
            throw new TransferException(TransferException.Kind.EXECUTION_FAILED, "The transfer of "
                    + plan.sources().size() + " blocks by " + plan.strategy() + " failed: " + e.getMessage(), e);
        } finally {
            event.ended(plan.strategy().name(), plan.sources().size(), plan.bytes(), !moved);
        }
    }

    /** The pins on all blocks of one request. */
    private static final class Pins implements AutoCloseable {

        private final TransferRequest request;
        private final PinList sources;
        private final PinList destinations;

        Pins(TransferRequest request) {
            this.request = request;
            this.sources = PinList.of(request.sources());
            try {
                this.destinations = PinList.of(request.destinations());
            } catch (RuntimeException | Error e) {
                sources.close();
                throw e;
            }
        }

        TransferPlan plan(TransferStrategy strategy, TransferHold hold) {
            return new TransferPlan(sources, destinations, request.firstLayer(), request.endLayer(), strategy, hold);
        }

        @Override
        public void close() {
            try {
                sources.close();
            } finally {
                destinations.close();
            }
        }
    }

    /** What a dispatcher can be told before it starts. */
    public static final class Builder {

        private final List<TransferEngine> engines = new ArrayList<>(List.of(new HostCopyEngine()));
        private MonotonicClock clock = MonotonicClock.SYSTEM;
        private Duration timeout = Duration.ofSeconds(30);
        private boolean checkAddresses;
        private int maxInFlight = 64;
        private int threads = 2;

        private Builder() {}

        /** Asks this engine before those added earlier. */
        public Builder engine(TransferEngine value) {
            engines.addFirst(value);
            return this;
        }

        /** The clock of deadlines. */
        public Builder clock(MonotonicClock value) {
            this.clock = value;
            return this;
        }

        /** The time within which a transfer has to be over; 30 s unless set. */
        public Builder timeout(Duration value) {
            this.timeout = value;
            return this;
        }

        /** Whether every request's addresses are compared too, which is slow; off unless set. */
        public Builder checkAddresses(boolean value) {
            this.checkAddresses = value;
            return this;
        }

        /** How many submitted transfers may be under way; 64 unless set. */
        public Builder maxInFlight(int value) {
            this.maxInFlight = value;
            return this;
        }

        /** How many threads move bytes; 2 unless set. */
        public Builder threads(int value) {
            this.threads = value;
            return this;
        }

        /** Starts the dispatcher. */
        public TransferDispatcher build() {
            return new TransferDispatcher(this);
        }
    }
}
