package io.kvbm.storage;

import java.lang.foreign.MemorySegment;

import io.kvbm.error.StorageException;

/**
 * Addresses without memory, for bookkeeping alone.
 *
 * @param address the address it claims to start at
 * @param size bytes it claims to have
 */
public record NullStorage(long address, long size) implements Storage {

    /** Storage that starts at address 0. */
    public static NullStorage ofSize(long size) {
        return new NullStorage(0, size);
    }

    @Override
    public StorageType type() {
        return new StorageType.Null();
    }

    @Override
    public MemorySegment segment() {
        throw new StorageException(StorageException.Kind.NOT_ACCESSIBLE,
                "Null storage of " + size + " bytes has no memory; use host storage to hold data");
    }

    @Override
    public void close() {}
}
