package io.kvbm.transfer;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

import io.kvbm.error.TransferException;
import io.kvbm.time.MonotonicClock;

/** Whether a transfer may go on: its deadline and its cancellation. */
public final class TransferControl {

    /** Between two looks at the clock. */
    private static final long WAIT_NANOS = 1_000_000;

    private final MonotonicClock clock;
    private final Duration timeout;
    private final long deadline;
    private volatile boolean cancelled;

    /** Allows this time from now on. */
    public TransferControl(MonotonicClock clock, Duration timeout) {
        this.clock = clock;
        this.timeout = timeout;
        this.deadline = clock.nanoTime() + Math.max(0, TimeUnit.NANOSECONDS.convert(timeout));
    }

    /** Whether it may go on now; where it once may not, it never may again. */
    public boolean mayGoOn() {
        return !cancelled && clock.nanoTime() - deadline < 0;
    }

    /**
     * Returns while the transfer may go on.
     *
     * @throws TransferException {@code CANCELLED} or {@code DEADLINE_EXCEEDED}
     */
    public void check() {
        if (cancelled) {
            throw new TransferException(TransferException.Kind.CANCELLED, "The transfer was cancelled by its caller");
        }
        if (!mayGoOn()) {
            throw new TransferException(TransferException.Kind.DEADLINE_EXCEEDED, "The transfer was not complete after "
                    + timeout + "; move fewer blocks at once or allow more time");
        }
    }

    /**
     * Waits until something is over that another thread ends, which then unparks the calling one.
     *
     * @param giveUp is run where it may not go on: calls off what has not begun, and waits no more for the rest
     * @throws TransferException as {@link #check}, where it is not over even then
     */
    public void await(BooleanSupplier isOver, Runnable giveUp) {
        boolean interrupted = false;
        try {
            while (!isOver.getAsBoolean()) {
                if (!mayGoOn()) {
                    giveUp.run();
                    if (!isOver.getAsBoolean()) {
                        check();
                    }
                }
                LockSupport.parkNanos(this, WAIT_NANOS);
                interrupted |= Thread.interrupted(); // or nothing parks any more
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    void cancel() {
        cancelled = true;
    }
}
