package io.kvbm.nixl;

import io.kvbm.storage.RegistrationHandle;

/**
 * Memory that is registered with a backend: other agents can reach it once they have loaded this one's metadata,
 * and requests can name it. It stays registered until it is closed, at the latest with the agent.
 */
public final class NixlMemory implements RegistrationHandle, AutoCloseable {

    private final NixlBackend backend;
    private final long address;
    private final long size;
    private final NativeHandle handle;

    NixlMemory(NixlBackend backend, long address, long size, NativeHandle handle) {
        this.backend = backend;
        this.address = address;
        this.size = size;
        this.handle = handle;
    }

    /** The backend that it is registered with. */
    public NixlBackend backend() {
        return backend;
    }

    /** Where it starts, unsigned. */
    public long address() {
        return address;
    }

    /** Bytes. */
    public long size() {
        return size;
    }

    /** Whether it is registered still. */
    public boolean isRegistered() {
        return handle.isOpen();
    }

    @Override
    public void release() {
        close();
    }

    /**
     * Closes the requests and prepared lists that name it, those under way included, and withdraws it. Further calls do
     * nothing.
     */
    @Override
    public void close() {
        handle.close();
    }

    @Override
    public String toString() {
        return handle.toString();
    }
}
