package io.kvbm.transfer;

import io.kvbm.storage.StorageType;

/** How bytes get from one kind of storage to another. */
public enum TransferStrategy {
    /** The CPU copies. */
    MEMCPY,
    /** From page-locked host memory to a GPU, on a stream. */
    CUDA_ASYNC_H2D,
    /** From a GPU to page-locked host memory, on a stream. */
    CUDA_ASYNC_D2H,
    /** Between GPU memories, on a stream. */
    CUDA_ASYNC_D2D,
    /** From pageable host memory to a GPU; the call waits. */
    CUDA_BLOCKING_H2D,
    /** From a GPU to pageable host memory; the call waits. */
    CUDA_BLOCKING_D2H,
    /** Into another worker's memory. */
    NIXL_WRITE,
    /** Out of another worker's memory. */
    NIXL_READ,
    /** Not at all. */
    INVALID;

    /** How a put writes from a source into a destination. Remote memory is never a source of a put. */
    public static TransferStrategy write(StorageType source, StorageType destination) {
        return switch (destination) {
            case StorageType.Nixl _ -> isLocal(source) ? NIXL_WRITE : INVALID;
            case StorageType.Null _ -> INVALID;
            case StorageType.System _,StorageType.Pinned _,StorageType.Device _ -> local(source, destination);
        };
    }

    /** How a get reads from a source into the reader's own memory. */
    public static TransferStrategy read(StorageType reader, StorageType source) {
        if (source instanceof StorageType.Nixl) {
            return isLocal(reader) ? NIXL_READ : INVALID;
        }
        return reader instanceof StorageType.Nixl ? INVALID : write(source, reader);
    }

    private static TransferStrategy local(StorageType source, StorageType destination) {
        boolean toDevice = destination instanceof StorageType.Device;
        return switch (source) {
            case StorageType.System _ -> toDevice ? CUDA_BLOCKING_H2D : MEMCPY;
            case StorageType.Pinned _ -> toDevice ? CUDA_ASYNC_H2D : MEMCPY;
            case StorageType.Device _ -> toDevice ? CUDA_ASYNC_D2D
                    : destination instanceof StorageType.Pinned ? CUDA_ASYNC_D2H : CUDA_BLOCKING_D2H;
            case StorageType.Nixl _,StorageType.Null _ -> INVALID;
        };
    }

    private static boolean isLocal(StorageType type) {
        return !(type instanceof StorageType.Nixl) && !(type instanceof StorageType.Null);
    }
}
