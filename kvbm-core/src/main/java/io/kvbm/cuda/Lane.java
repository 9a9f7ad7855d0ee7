package io.kvbm.cuda;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

import io.kvbm.error.ClosedException;
import io.kvbm.error.CudaException;
import io.kvbm.error.TransferException;
import io.kvbm.time.MonotonicClock;

/**
 * One stream of a GPU and the thread that drives it: it alone calls the driver, so that no thread of an application
 * waits in native code or finds a context bound to it that it did not ask for. Two parts of a transfer are under way at
 * once, so that the stream has work while the next part is prepared.
 */
final class Lane implements AutoCloseable {

    /** How much may wait for its turn. */
    private static final int MOST_WAITING = 256;

    /** Nothing that is put into a stream at once takes so long on a GPU that works. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final int QUICK_LOOKS = 200;
    private static final long PAUSE_NANOS = 20_000;

    private final Driver driver;
    private final CudaDevice device;
    private final ThreadPoolExecutor thread;
    private final MonotonicClock clock = MonotonicClock.SYSTEM;

    /** Of the thread alone. */
    private final Releases releases = new Releases();

    private Driver.Stream stream;
    private List<Stage> stages = List.of();
    private volatile boolean stopping;

    /** Starts the thread, in the context of the device. */
    @SuppressWarnings("NullAway.Init") // the stream is made in the thread that uses it
    Lane(Driver driver, CudaDevice device, String name) {
        this.driver = driver;
        this.device = device;
        this.thread = new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
                Thread.ofPlatform().name("kvbm-cuda-" + device.ordinal() + "-" + name).daemon().factory());
    }

    /** Makes the stream and what its transfers need. */
    void open() {
        call(() -> {
            driver.makeCurrent(device.context());
            Driver.Stream made = driver.createStream();
            releases.add(() -> driver.destroy(made));
            stream = made;
            stages = List.of(new Stage(driver, releases), new Stage(driver, releases));
            return true;
        });
    }

    /**
     * Has the thread do something and waits for it.
     *
     * @throws CudaException what it throws, or {@code DEVICE_LOST} where it does not come back
     */
    <T> T call(Supplier<T> work) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        execute(() -> {
            try {
                answer.complete(work.get());
            } catch (RuntimeException | Error e) {
                answer.completeExceptionally(e);
            }
        });
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return answer.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
                } catch (InterruptedException e) {
                    interrupted = true; // half a call of the driver cannot be taken back
                }
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException failure ? failure : new IllegalStateException(e.getCause());
        } catch (TimeoutException e) {
            throw new CudaException(CudaException.Kind.DEVICE_LOST, null, device + " has not answered for "
                    + PATIENCE.toSeconds() + " s; restart the process to use it again");
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /**
     * Has the thread carry a transfer, after those that wait already.
     *
     * @throws TransferException {@code TOO_MANY_IN_FLIGHT}
     */
    void submit(CudaTransfer transfer) {
        if (thread.getQueue().size() >= MOST_WAITING) {
            throw new TransferException(TransferException.Kind.TOO_MANY_IN_FLIGHT, MOST_WAITING
                    + " transfers wait for " + device + ", which is the limit; wait for one to complete");
        }
        execute(transfer);
    }

    private void execute(Runnable work) {
        try {
            thread.execute(work);
        } catch (RejectedExecutionException e) {
            throw new ClosedException(device + " is closed; use it before the manager is closed");
        }
    }

    // ---------------------------------------------------------------------------------------- thread

    Driver.Stream stream() {
        return stream;
    }

    /** A stage that nothing uses, in turn. */
    Stage freeStage(int turn) {
        Stage stage = stages.get(turn % stages.size());
        await(stage::isFree);
        return stage;
    }

    /** Whether there is memory on the device to gather in; where the engine has taken all of it there is none. */
    boolean canGather() {
        try {
            stages.forEach(Stage::device);
            return true;
        } catch (CudaException e) {
            if (e.kind() == CudaException.Kind.OUT_OF_MEMORY) {
                return false;
            }
            throw e;
        }
    }

    /** Returns when all that was put into the stream is done, and what had to be done afterwards. */
    void finish() {
        for (Stage stage : stages) {
            await(stage::isFree);
        }
    }

    /** Fills device memory and waits for it. */
    void fill(long address, byte value, long size) {
        try {
            driver.fill(address, value, size, stream);
            await(() -> driver.isIdle(stream));
        } catch (CudaException e) {
            drain();
            throw e;
        }
    }

    /**
     * After a failure: returns true when nothing that was put into the stream is under way any more, false where that
     * cannot be known.
     */
    boolean drain() {
        stages.forEach(Stage::clear);
        for (int tries = 0; tries < 3; tries++) {
            try {
                await(() -> driver.isIdle(stream));
                return true;
            } catch (CudaException e) {
                device.failed(e);
                if (e.kind() == CudaException.Kind.DEVICE_LOST && e.result() != null) {
                    return true; // the driver has ended everything in a context that failed
                }
            }
        }
        return false;
    }

    /** Returns when it is so; the lane stops waiting when it is closed or the device does not answer. */
    private void await(BooleanSupplier reached) {
        long since = clock.nanoTime();
        for (int looks = 0; !reached.getAsBoolean(); looks++) {
            if (stopping) {
                throw new CudaException(CudaException.Kind.DEVICE_LOST, null,
                        device + " was closed with transfers under way");
            }
            if (clock.nanoTime() - since > PATIENCE.toNanos()) {
                device.failed(new CudaException(CudaException.Kind.DEVICE_LOST, null, device + " has not answered for "
                        + PATIENCE.toSeconds() + " s; restart the process to use it again"));
            }
            if (looks < QUICK_LOOKS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(this, PAUSE_NANOS);
            }
        }
    }

    /** Waits no more for what is under way. */
    void stop() {
        stopping = true;
    }

    /** Gives everything back, when what is under way has ended; a device that is lost is not waited for. */
    @Override
    public void close() {
        if (device.isLost()) {
            stop();
        }
        try {
            call(() -> {
                releases.close();
                return true;
            });
        } finally {
            thread.shutdown();
        }
    }
}
