package io.kvbm.storage;

/**
 * Makes storage of one kind.
 *
 * @param <S> the storage it makes
 */
@FunctionalInterface
public interface StorageAllocator<S extends Storage> {

    /**
     * Allocates memory.
     *
     * @param size bytes, at least 1
     * @throws io.kvbm.error.StorageException {@code INVALID_CONFIG} where the size is below 1, {@code ALLOCATION_FAILED}
     *         where the operating system or a limit refuses it
     */
    S allocate(long size);
}
