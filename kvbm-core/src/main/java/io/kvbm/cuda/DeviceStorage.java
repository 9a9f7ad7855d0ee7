package io.kvbm.cuda;

import java.lang.foreign.MemorySegment;

import io.kvbm.error.FirstFailure;
import io.kvbm.error.StorageException;
import io.kvbm.storage.RegistrableStorage;
import io.kvbm.storage.Registrations;
import io.kvbm.storage.StorageType;

/** Memory of a GPU. What it holds at first is undefined. */
public final class DeviceStorage implements RegistrableStorage {

    private final CudaDevice device;
    private final long address;
    private final long size;
    private final Registrations registrations = new Registrations();
    private boolean closed;

    DeviceStorage(CudaDevice device, long address, long size) {
        this.device = device;
        this.address = address;
        this.size = size;
    }

    @Override
    public StorageType type() {
        return new StorageType.Device(device.ordinal());
    }

    /** The address of the first byte on the GPU, unsigned. */
    @Override
    public long address() {
        return address;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public MemorySegment segment() {
        throw new StorageException(StorageException.Kind.NOT_ACCESSIBLE, "The processor does not reach the memory of "
                + device + "; give a kernel the address, or copy the block to host memory");
    }

    /**
     * Sets bytes, and waits for it.
     *
     * @throws StorageException {@code OPERATION_FAILED} where the range leaves the memory, or it is closed
     * @throws io.kvbm.error.CudaException where the driver refuses or the device has failed
     */
    public synchronized void fill(byte value, long offset, long bytes) {
        if (offset < 0 || bytes < 0 || offset > size - bytes) {
            throw new StorageException(StorageException.Kind.OPERATION_FAILED, bytes + " bytes from " + offset
                    + " on are to be filled of a storage of " + size + " bytes; stay inside");
        }
        if (closed) {
            throw new StorageException(StorageException.Kind.OPERATION_FAILED,
                    this + " is closed; fill it before");
        }
        device.fill(address + offset, value, bytes);
    }

    @Override
    public Registrations registrations() {
        return registrations;
    }

    @Override
    public boolean isLost() {
        return device.isLost();
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        FirstFailure failure = new FirstFailure();
        failure.attempt(registrations::releaseAll);
        failure.attempt(() -> device.free(address));
        failure.rethrow();
    }

    @Override
    public String toString() {
        return "DeviceStorage[" + size + " bytes of " + device + "]";
    }
}
