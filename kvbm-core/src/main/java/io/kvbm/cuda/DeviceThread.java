package io.kvbm.cuda;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

import io.kvbm.error.ClosedException;
import io.kvbm.error.CudaException;

/**
 * A thread that calls the driver for a GPU, in its context: so no thread of an application waits in native code, or finds
 * a context bound to it that it did not ask for.
 */
final class DeviceThread implements AutoCloseable {

    /** Nothing takes so long on a GPU that works, but page-locking much memory. */
    static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final Duration ANY_TIME = Duration.ofDays(1);

    private final CudaDevice device;
    private final ThreadPoolExecutor thread;

    /** Starts when it is first called. */
    DeviceThread(CudaDevice device, String name) {
        this.device = device;
        this.thread = new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
                Thread.ofPlatform().name("kvbm-cuda-" + device.ordinal() + "-" + name).daemon().factory());
    }

    /** Has its calls go to the device from now on; to be called before any other. */
    void enter() {
        run(() -> device.driver().makeCurrent(device.context()));
    }

    /**
     * Has the thread do something and waits for it.
     *
     * @throws CudaException what it throws, or {@code DEVICE_LOST} where it does not come back
     */
    <T> T call(Supplier<T> work) {
        return call(work, PATIENCE);
    }

    /** Has the thread do something and waits for it. */
    void run(Runnable work) {
        call(() -> {
            work.run();
            return true;
        });
    }

    /** Has the thread do something that may take any time, and waits for it. */
    void runAtLeisure(Runnable work) {
        call(() -> {
            work.run();
            return true;
        }, ANY_TIME);
    }

    private <T> T call(Supplier<T> work, Duration patience) {
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
                    return answer.get(patience.toMillis(), TimeUnit.MILLISECONDS);
                } catch (InterruptedException e) {
                    interrupted = true; // half a call of the driver cannot be taken back
                }
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException failure ? failure : new IllegalStateException(e.getCause());
        } catch (TimeoutException e) {
            throw device.silent();
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Has the thread do something, after what waits already. */
    void execute(Runnable work) {
        try {
            thread.execute(work);
        } catch (RejectedExecutionException e) {
            throw new ClosedException(device + " is closed; use it before the manager is closed");
        }
    }

    /** How much waits for its turn. */
    int waiting() {
        return thread.getQueue().size();
    }

    /** Ends when nothing waits any more. */
    @Override
    public void close() {
        thread.shutdown();
    }
}
