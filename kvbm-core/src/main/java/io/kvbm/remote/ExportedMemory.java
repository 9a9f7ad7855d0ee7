package io.kvbm.remote;

import io.kvbm.error.RemoteException;
import io.kvbm.storage.StorageType;

/**
 * One run of memory that another worker exports.
 *
 * @param type the kind of memory at its owner
 * @param address where it starts at its owner, unsigned
 * @param size bytes, at least 1
 * @param baseOffset bytes from the start to the first block, below the size
 */
public record ExportedMemory(StorageType type, long address, long size, long baseOffset) {

    /**
     * Takes a run over.
     *
     * @throws RemoteException {@code MALFORMED} where a number is out of its range
     */
    public ExportedMemory {
        if (type instanceof StorageType.Device(int ordinal) && ordinal < 0) {
            throw Refusal.malformed("Exported memory is of device " + ordinal + "; devices count from 0");
        }
        if (size < 1) {
            throw Refusal.malformed("Exported memory has " + Long.toUnsignedString(size)
                    + " bytes; it has at least 1 and at most " + Long.MAX_VALUE);
        }
        if (Long.compareUnsigned(address, -size) > 0) {
            throw Refusal.malformed("Exported memory of " + size + " bytes from " + Long.toUnsignedString(address)
                    + " on ends behind the last address");
        }
        if (baseOffset < 0 || baseOffset >= size) {
            throw Refusal.malformed("The first block of exported memory lies " + Long.toUnsignedString(baseOffset)
                    + " bytes behind its start, outside of its " + size + " bytes");
        }
    }

    /** Whether a byte of the same address space belongs to both. */
    boolean overlaps(ExportedMemory other) {
        return Long.compareUnsigned(address, other.address + other.size - 1) <= 0
                && Long.compareUnsigned(other.address, address + size - 1) <= 0;
    }
}
