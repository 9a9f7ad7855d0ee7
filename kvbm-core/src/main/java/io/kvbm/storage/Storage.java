package io.kvbm.storage;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongConsumer;

/** One run of memory of one kind. */
public interface Storage extends AutoCloseable {

    /** The kind of memory. */
    StorageType type();

    /** The address of the first byte in the address space that the kind implies, unsigned. */
    long address();

    /** Bytes. */
    long size();

    /**
     * The memory, for the CPU.
     *
     * @throws io.kvbm.error.StorageException {@code NOT_ACCESSIBLE} where the CPU cannot reach it
     */
    MemorySegment segment();

    /**
     * Tells how many bytes at the start are backed by memory of the operating system: at once, and again whenever there
     * are more, from another thread. Nothing is told after {@link #close()} has returned.
     */
    default void onReserved(LongConsumer listener) {
        listener.accept(size());
    }

    /**
     * Completes when all bytes are backed by memory, exceptionally with a {@link io.kvbm.error.StorageException} where
     * the operating system refused some.
     */
    default CompletionStage<Void> reserved() {
        return CompletableFuture.completedStage(null);
    }

    /** Whether what it held is gone for good although it was not closed, as that of a GPU which has failed. */
    default boolean isLost() {
        return false;
    }

    /** Releases what is registered, then the memory. Further calls do nothing. */
    @Override
    void close();
}
