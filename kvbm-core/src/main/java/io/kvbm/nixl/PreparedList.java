package io.kvbm.nixl;

import java.lang.ref.Cleaner;

import org.jspecify.annotations.Nullable;

/**
 * Ranges that NIXL has looked up once, so that any number of requests name them by index. All are local, or all are of
 * one remote agent.
 */
public final class PreparedList implements AutoCloseable {

    private final NixlBackend backend;
    private final TransferRanges ranges;
    private final @Nullable RemoteAgent remote;
    private final NativeHandle handle;
    private final Cleaner.Cleanable net;

    PreparedList(NixlBackend backend, TransferRanges ranges, @Nullable RemoteAgent remote, NativeHandle handle) {
        this.backend = backend;
        this.ranges = ranges;
        this.remote = remote;
        this.handle = handle;
        this.net = backend.core().net().cast(this, handle);
    }

    NativeHandle handle() {
        return handle;
    }

    /** The backend that it is prepared for. */
    public NixlBackend backend() {
        return backend;
    }

    /** What it holds, by index. */
    public TransferRanges ranges() {
        return ranges;
    }

    /** The agent in whose memory the ranges are; null where they are in this process. */
    public @Nullable RemoteAgent remote() {
        return remote;
    }

    /** Whether requests can be made of it: not after a close, of its own or of what it lies in. */
    public boolean isOpen() {
        return handle.isOpen();
    }

    /** Closes the requests that name it, those under way included, then itself. Further calls do nothing. */
    @Override
    public void close() {
        handle.close();
        net.clean();
    }

    @Override
    public String toString() {
        return handle.toString();
    }
}
