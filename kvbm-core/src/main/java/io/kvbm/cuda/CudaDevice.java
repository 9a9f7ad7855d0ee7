package io.kvbm.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntToLongFunction;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.ClosedException;
import io.kvbm.error.CudaException;
import io.kvbm.error.StorageException;
import io.kvbm.storage.Pinning;
import io.kvbm.storage.RegistrationHandle;
import io.kvbm.storage.StorageAllocator;
import io.kvbm.storage.StorageType;
import io.kvbm.transfer.TransferHold;

/**
 * One GPU: its memory, and the streams by which bytes come and go. It shares the GPU's primary context with whatever
 * else the process runs on it, such as the inference engine. Once it has failed it is lost until the process is started
 * again: what was in its memory is gone, and nothing is moved to it or from it.
 */
public final class CudaDevice implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(CudaDevice.class);

    private final Driver driver;
    private final int ordinal;
    private final PinnedRanges pinned;
    private final AtomicReference<@Nullable CudaException> lost = new AtomicReference<>();

    /** Holds on blocks of which nobody knows whether something moves them still; never given back. */
    private final List<TransferHold> quarantine = new ArrayList<>();

    private final Lane up;
    private final Lane down;
    private final Lane across;

    /** Has nothing to do with transfers, as some of what it does takes long. */
    private final DeviceThread memory;

    private final Releases releases = new Releases();
    private final Releases modules = new Releases();
    private String name = "unnamed";
    private Driver.Context context;
    private Kernels kernels;
    private int users = 1;
    private boolean closed;

    @SuppressWarnings("NullAway.Init") // context and kernels are made in a thread of its own
    private CudaDevice(Driver driver, PinnedRanges pinned, int ordinal) {
        this.driver = driver;
        this.pinned = pinned;
        this.ordinal = ordinal;
        this.up = new Lane(driver, this, "up");
        this.down = new Lane(driver, this, "down");
        this.across = new Lane(driver, this, "across");
        this.memory = new DeviceThread(this, "memory");
    }

    /**
     * Opens a GPU.
     *
     * @param pinned what is page-locked for all GPUs of the process
     */
    static CudaDevice open(Driver driver, PinnedRanges pinned, int ordinal) {
        CudaDevice device = new CudaDevice(driver, pinned, ordinal);
        try {
            device.start();
            return device;
        } catch (RuntimeException | Error e) {
            try {
                device.releases.close();
            } catch (CudaException suppressed) {
                e.addSuppressed(suppressed);
            }
            throw e;
        }
    }

    private void start() {
        releases.add(memory::close);
        context = memory.call(() -> driver.retain(ordinal));
        releases.add(() -> memory.run(() -> driver.release(context)));
        memory.enter();
        releases.add(() -> memory.run(modules::close));
        kernels = memory.call(() -> {
            name = driver.name(context);
            if (!driver.usesHostAddresses(context)) {
                throw new CudaException(CudaException.Kind.SETUP_FAILED, null, this + " knows page-locked memory under"
                        + " other addresses than the processor; use a GPU that shares them, as on Linux x86_64");
            }
            return Kernels.load(driver, modules);
        });
        for (Lane lane : List.of(up, down, across)) {
            releases.add(lane::close);
            lane.open();
        }
    }

    /** Which GPU it is, counted as CUDA does. */
    public int ordinal() {
        return ordinal;
    }

    /** What the driver calls it. */
    public String name() {
        return name;
    }

    /** Bytes of its memory that nobody has taken. */
    public long freeMemory() {
        return memory.call(() -> driver.memory().free());
    }

    /** Makes storage in its memory. */
    public StorageAllocator<DeviceStorage> allocator() {
        return this::allocate;
    }

    /** Page-locks host memory for this GPU and all others of the process. */
    public Pinning pinning() {
        return this::pin;
    }

    /** Whether it has failed. */
    public boolean isLost() {
        return lost.get() != null;
    }

    synchronized boolean isClosed() {
        return closed;
    }

    // ---------------------------------------------------------------------------------------- memory

    private DeviceStorage allocate(long size) {
        if (size < 1) {
            throw new StorageException(StorageException.Kind.INVALID_CONFIG,
                    size + " bytes of GPU memory are asked for; ask for at least 1");
        }
        use();
        try {
            return memory.call(() -> {
                Driver.Memory there = driver.memory();
                if (size > there.free()) {
                    throw new StorageException(StorageException.Kind.ALLOCATION_FAILED, size
                            + " bytes of GPU memory are asked for and " + there.free() + " of " + there.total()
                            + " are free on " + this + "; configure fewer device blocks, or leave more memory to them");
                }
                return new DeviceStorage(this, driver.allocate(size), size);
            });
        } catch (RuntimeException | Error e) {
            letGo();
            throw e;
        }
    }

    void free(long address) {
        release(() -> memory.run(() -> driver.free(address)));
    }

    void fill(long address, byte value, long size) {
        requireUsable();
        across.call(() -> {
            across.fill(address, value, size);
            return true;
        });
    }

    private RegistrationHandle pin(long address, long size) {
        use();
        try {
            memory.runAtLeisure(() -> driver.register(address, size));
        } catch (CudaException e) {
            letGo();
            throw new CudaException(e.kind(), e.result(), e.getMessage() + "; " + size
                    + " bytes were to be page-locked for " + this + ", and the process may lock "
                    + MemoryLock.limit() + "; allow more, or configure fewer host blocks");
        } catch (RuntimeException | Error e) {
            letGo();
            throw e;
        }
        pinned.add(address, size);
        return () -> {
            pinned.remove(address);
            release(() -> memory.runAtLeisure(() -> driver.unregister(address)));
        };
    }

    /** What a lost device does not take back is gone with it. */
    private void release(Runnable work) {
        try {
            work.run();
        } catch (CudaException e) {
            if (!isLost()) {
                throw e;
            }
        } finally {
            letGo();
        }
    }

    boolean isPinned(int count, IntToLongFunction start, long bytes) {
        return pinned.cover(count, start, bytes);
    }

    // ---------------------------------------------------------------------------------------- transfers

    Driver driver() {
        return driver;
    }

    Driver.Context context() {
        return context;
    }

    Kernels kernels() {
        return kernels;
    }

    Lane lane(StorageType source, StorageType destination) {
        if (!(source instanceof StorageType.Device)) {
            return up;
        }
        return destination instanceof StorageType.Device ? across : down;
    }

    /** Takes note of a failure; some end the device. Returns it. */
    CudaException failed(CudaException failure) {
        if (failure.kind() == CudaException.Kind.DEVICE_LOST && lost.compareAndSet(null, failure)) {
            log.warn("{} is not used any more, its blocks are gone, and blocks are kept in host memory: {}", this,
                    failure.getMessage());
            if (isClosed()) {
                stopLanes();
            }
        }
        return failure;
    }

    /** The failure of a device that does not come back. */
    CudaException silent() {
        return new CudaException(CudaException.Kind.DEVICE_LOST, null, this + " has not answered for "
                + DeviceThread.PATIENCE.toSeconds() + " s; restart the process to use it again");
    }

    /** Throws {@code DEVICE_LOST} where the device has failed. */
    void requireUsable() {
        CudaException failure = lost.get();
        if (failure != null) {
            throw new CudaException(CudaException.Kind.DEVICE_LOST, failure.result(),
                    this + " has failed: " + failure.getMessage());
        }
    }

    /** Keeps blocks that may be moved for the rest of the process's life, as no later moment proves that they are not. */
    void quarantine(TransferHold hold) {
        synchronized (quarantine) {
            quarantine.add(hold);
        }
    }

    /** For tests, which know that nothing is moved any more. */
    void forgetQuarantine() {
        synchronized (quarantine) {
            quarantine.forEach(TransferHold::close);
            quarantine.clear();
        }
    }

    // ---------------------------------------------------------------------------------------- end

    private synchronized void use() {
        if (closed) {
            throw new ClosedException(this + " is closed; use it before");
        }
        users++;
    }

    private void letGo() {
        synchronized (this) {
            if (--users > 0) {
                return;
            }
        }
        if (up.isCurrent() || down.isCurrent() || across.isCurrent()) {
            // which cannot wait for its own end
            Thread.ofPlatform().name("kvbm-cuda-" + ordinal + "-close").daemon().start(this::end);
        } else {
            end();
        }
    }

    private void end() {
        try {
            releases.close();
        } catch (CudaException e) {
            if (!isLost()) {
                throw e;
            }
        }
    }

    /** Makes nothing new; the streams and the context go with the last of its memory. Further calls do nothing. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        if (isLost()) {
            stopLanes();
        }
        letGo();
    }

    private void stopLanes() {
        List.of(up, down, across).forEach(Lane::stop);
    }

    @Override
    public String toString() {
        return "GPU " + ordinal + " (" + name + ")";
    }
}
