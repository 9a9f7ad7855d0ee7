package io.kvbm.storage;

/** Page-locks host memory, so that a GPU reads and writes it by itself. */
@FunctionalInterface
public interface Pinning {

    /**
     * Page-locks memory that is backed by the system.
     *
     * @param address of the first byte, unsigned
     * @param size bytes
     * @throws io.kvbm.error.KvbmException where the system or the driver refuses it; the memory is as usable as before
     */
    RegistrationHandle pin(long address, long size);
}
