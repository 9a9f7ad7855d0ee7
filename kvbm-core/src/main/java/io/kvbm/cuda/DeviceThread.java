package io.kvbm.cuda;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.ClosedException;
import io.kvbm.error.CudaException;

/**
 * A thread that calls the driver for a GPU, in its context: so no thread of an application waits in native code, or finds
 * a context bound to it that it did not ask for.
 */
final class DeviceThread implements AutoCloseable {

    /** Nothing takes so long on a GPU that works, but page-locking much memory. */
    static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final Logger log = LoggerFactory.getLogger(DeviceThread.class);

    private final CudaDevice device;
    private final ThreadPoolExecutor thread;
    private volatile @Nullable Thread own;

    /** Starts when it is first called. */
    DeviceThread(CudaDevice device, String name) {
        this.device = device;
        this.thread = new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
                work -> own = Thread.ofPlatform()
                        .name("kvbm-cuda-" + device.ordinal() + "-" + name)
                        .daemon()
                        .unstarted(work));
    }

    /** Has its calls go to the device from now on. */
    void enter() {
        run(() -> {
            device.driver().makeCurrent(device.context());
            device.driver().leaveCapturesAlone();
        });
    }

    /**
     * Has the thread do something and waits for it.
     *
     * @throws CudaException what it throws, or {@code DEVICE_LOST} where it does not come back
     */
    <T> T call(Supplier<T> work) {
        return await(new Call<>(work), false);
    }

    /** Has the thread do something and waits for it. */
    void run(Runnable work) {
        call(() -> {
            work.run();
            return true;
        });
    }

    /** Has the thread do something that may take any time on a device that works, and waits for it. */
    void runAtLeisure(Runnable work) {
        await(new Call<>(() -> {
            work.run();
            return true;
        }), true);
    }

    private <T> T await(Call<T> call, boolean atLeisure) {
        execute(call);
        boolean interrupted = false;
        boolean begun = false;
        try {
            while (true) {
                try {
                    return call.answer.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
                } catch (InterruptedException e) {
                    interrupted = true; // half a call of the driver cannot be taken back
                } catch (TimeoutException e) {
                    boolean silent = begun && !atLeisure; // what takes long may be what is before it
                    if (silent || device.isLost()) {
                        call.callOff();
                        throw device.failed(device.silent());
                    }
                    begun = call.hasBegun();
                }
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException failure ? failure : new IllegalStateException(e.getCause());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Has the thread do something, after what waits already. */
    void execute(Runnable work) {
        try {
            thread.execute(() -> survive(work));
        } catch (RejectedExecutionException e) {
            throw new ClosedException(device + " is closed; use it before the manager is closed");
        }
    }

    /** Another thread in its place would not be in the context of the device. */
    private void survive(Runnable work) {
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            log.error("{} goes on although a task of it failed", Thread.currentThread().getName(), e);
        }
    }

    /** Whether it is the calling thread. */
    boolean isCurrent() {
        return Thread.currentThread().equals(own);
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

    /** Work that somebody waits for. What has not begun when nobody does any more is not done. */
    private final class Call<T> implements Runnable {

        private enum State {
            WAITING, BEGUN, CALLED_OFF
        }

        private final Supplier<T> work;
        private final CompletableFuture<T> answer = new CompletableFuture<>();
        private final AtomicReference<State> state = new AtomicReference<>(State.WAITING);

        private Call(Supplier<T> work) {
            this.work = work;
        }

        private void callOff() {
            state.compareAndSet(State.WAITING, State.CALLED_OFF);
        }

        private boolean hasBegun() {
            return state.get() == State.BEGUN;
        }

        @Override
        public void run() {
            if (!state.compareAndSet(State.WAITING, State.BEGUN)) {
                return;
            }
            try {
                answer.complete(work.get());
            } catch (RuntimeException | Error e) {
                if (e instanceof CudaException failure) {
                    device.failed(failure);
                }
                answer.completeExceptionally(e);
            }
        }
    }
}
