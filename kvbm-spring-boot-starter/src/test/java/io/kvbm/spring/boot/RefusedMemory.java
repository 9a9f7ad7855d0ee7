package io.kvbm.spring.boot;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongConsumer;

import io.kvbm.error.StorageException;
import io.kvbm.storage.Storage;
import io.kvbm.storage.StorageType;

/** Memory of which the system gives only some at the start; it says so in the background. */
public final class RefusedMemory implements Storage {

    /** Why. */
    public static final String MESSAGE = "The system ran out of memory";

    private final MemorySegment segment;
    private final long given;

    /** Memory of this size. */
    public RefusedMemory(long size, long given) {
        this.segment = Arena.ofAuto().allocate(size, 64);
        this.given = given;
    }

    @Override
    public StorageType type() {
        return new StorageType.System();
    }

    @Override
    public long address() {
        return segment.address();
    }

    @Override
    public long size() {
        return segment.byteSize();
    }

    @Override
    public MemorySegment segment() {
        return segment;
    }

    @Override
    public void onReserved(LongConsumer listener) {
        listener.accept(given);
    }

    @Override
    public CompletionStage<Void> reserved() {
        return CompletableFuture
                .failedStage(new StorageException(StorageException.Kind.ALLOCATION_FAILED, MESSAGE));
    }

    @Override
    public void close() {}
}
