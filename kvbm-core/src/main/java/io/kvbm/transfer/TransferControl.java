package io.kvbm.transfer;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

import io.kvbm.error.TransferException;
import io.kvbm.time.MonotonicClock;

/** Whether a transfer may go on: its deadline and its cancellation. */
public final class TransferControl {

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

    void cancel() {
        cancelled = true;
    }
}
