package io.kvbm.storage;

/**
 * Where memory is and what it is made of, without a way to touch it.
 *
 * @param type the kind of memory
 * @param address of the first byte, unsigned
 * @param size bytes
 * @param reservedBytes bytes at the start that are backed by the system
 * @param shared whether other processes may read it
 * @param pages the pages it is made of
 */
public record MemoryRange(StorageType type, long address, long size, long reservedBytes, boolean shared,
        HugePages pages) {

    static MemoryRange of(Storage storage) {
        return storage instanceof HostStorage host
                ? new MemoryRange(host.type(), host.address(), host.size(), host.reservedBytes(),
                        host.fileDescriptor().isPresent(), host.hugePages())
                : new MemoryRange(storage.type(), storage.address(), storage.size(), storage.size(), false,
                        HugePages.NONE);
    }
}
