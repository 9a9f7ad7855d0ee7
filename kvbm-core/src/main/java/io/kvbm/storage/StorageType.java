package io.kvbm.storage;

/** A kind of memory. */
public sealed interface StorageType {

    /** Pageable host memory. */
    @SuppressWarnings("AvoidCommonTypeNames") // the reference's name; it is always written with its outer type
    record System() implements StorageType {}

    /** Page-locked host memory that a GPU can reach. */
    record Pinned() implements StorageType {}

    /**
     * GPU memory.
     *
     * @param ordinal the device, counted as CUDA does
     */
    record Device(int ordinal) implements StorageType {}

    /** Another worker's memory, reached through NIXL. */
    record Nixl() implements StorageType {}

    /** No memory, only addresses. */
    record Null() implements StorageType {}
}
