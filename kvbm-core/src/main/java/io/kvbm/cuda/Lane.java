package io.kvbm.cuda;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

import io.kvbm.error.CudaException;
import io.kvbm.error.TransferException;
import io.kvbm.time.MonotonicClock;

/**
 * One stream of a GPU and the thread that drives it. Two parts of a transfer are under way at once, so that the stream
 * has work while the next part is prepared.
 */
final class Lane implements AutoCloseable {

    /** How much may wait for its turn. */
    private static final int MOST_WAITING = 256;

    /** One block in so many may be in doubt. */
    private static final int MOST_IN_DOUBT = 20;

    private static final int TRIES = 3;

    private static final int QUICK_LOOKS = 200;
    private static final long PAUSE_NANOS = 20_000;
    private static final long LONG_PAUSE_NANOS = 10_000_000;

    private final Driver driver;
    private final CudaDevice device;
    private final DeviceThread thread;
    private final MonotonicClock clock = MonotonicClock.SYSTEM;
    private final AtomicInteger inDoubt = new AtomicInteger();

    /** Of the thread alone. */
    private final Releases releases = new Releases();

    private Driver.Stream stream;
    private List<Stage> stages = List.of();
    private volatile boolean stopping;

    /** One that has no stream before it is {@linkplain #open opened}. */
    @SuppressWarnings("NullAway.Init") // the stream is made in the thread that uses it
    Lane(Driver driver, CudaDevice device, String name) {
        this.driver = driver;
        this.device = device;
        this.thread = new DeviceThread(device, name);
    }

    /** Makes the stream and what its transfers need. */
    void open() {
        thread.enter();
        thread.run(() -> {
            Driver.Stream made = driver.createStream();
            releases.add(() -> driver.destroy(made));
            stream = made;
            stages = List.of(new Stage(driver, releases), new Stage(driver, releases));
        });
    }

    /** Whether its thread is the calling one. */
    boolean isCurrent() {
        return thread.isCurrent();
    }

    /** Has its thread do something and waits for it. */
    <T> T call(Supplier<T> work) {
        return thread.call(work);
    }

    /**
     * Has the thread carry a transfer, after those that wait already.
     *
     * @throws TransferException {@code TOO_MANY_IN_FLIGHT}
     */
    void submit(CudaTransfer transfer) {
        if (thread.waiting() >= MOST_WAITING) {
            throw new TransferException(TransferException.Kind.TOO_MANY_IN_FLIGHT, MOST_WAITING
                    + " transfers wait for " + device + ", which is the limit; wait for one to complete");
        }
        thread.execute(transfer);
    }

    /** Blocks that transfers may still move although nobody waits for them are lost to the pool for a time. */
    void requireRoom(int blocks) {
        int most = Math.max(1, blocks / MOST_IN_DOUBT);
        int there = inDoubt.get();
        if (there >= most) {
            throw new TransferException(TransferException.Kind.TOO_MANY_IN_FLIGHT, there
                    + " blocks may still be moved by transfers that nobody waits for any more, of at most " + most
                    + "; nothing goes this way by " + device + " until they have ended");
        }
    }

    /** Nobody waits any more for a transfer of so many blocks. */
    void abandoned(int blocks) {
        inDoubt.addAndGet(blocks);
    }

    /** A transfer of so many blocks has ended for which nobody waits. */
    void found(int blocks) {
        inDoubt.addAndGet(-blocks);
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
     * After a failure: returns true when nothing that was put into the stream is under way any more. False where that
     * cannot be known; then the device is lost, as the next transfer would use what this one still may.
     */
    boolean drain() {
        for (int tries = 0; tries < TRIES; tries++) {
            try {
                await(() -> driver.isIdle(stream));
                stages.forEach(Stage::clear);
                return true;
            } catch (CudaException e) {
                device.failed(e);
                if (e.hasEndedTheContext()) {
                    return true;
                }
                LockSupport.parkNanos(this, LONG_PAUSE_NANOS);
            }
        }
        device.failed(new CudaException(CudaException.Kind.DEVICE_LOST, null,
                device + " does not tell whether a transfer that failed has ended; restart the process to use it again"));
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
            boolean silent = clock.nanoTime() - since > DeviceThread.PATIENCE.toNanos();
            if (silent) {
                device.failed(device.silent());
            }
            if (looks < QUICK_LOOKS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(this, silent ? LONG_PAUSE_NANOS : PAUSE_NANOS);
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
            thread.run(releases::close);
        } finally {
            thread.close();
        }
    }
}
