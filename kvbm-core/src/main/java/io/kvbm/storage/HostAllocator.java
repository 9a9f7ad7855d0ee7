package io.kvbm.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.StorageException;

/**
 * Makes {@link HostStorage}.
 *
 * <p>
 * Storage above a threshold is reserved in the background, so that a process can start while gigabytes are being
 * prepared; smaller storage is reserved when it is returned.
 */
public final class HostAllocator implements StorageAllocator<HostStorage> {

    private final String name;
    private final boolean shared;
    private final boolean hugePages;
    private final long backgroundFrom;
    private final MemoryLimits limits;
    private final @Nullable Pinning pinning;

    private HostAllocator(Builder builder) {
        this.name = builder.name;
        this.shared = builder.shared;
        this.hugePages = builder.hugePages;
        this.backgroundFrom = builder.backgroundFrom;
        this.limits = builder.limits;
        this.pinning = builder.pinning;
    }

    /** Starts an allocator. */
    public static Builder builder() {
        return new Builder();
    }

    /** An allocator with the defaults. */
    public static HostAllocator create() {
        return builder().build();
    }

    @Override
    @SuppressWarnings("MustBeClosedChecker") // the arena is the storage's, which closes it
    public HostStorage allocate(long size) {
        if (size < 1) {
            throw new StorageException(StorageException.Kind.INVALID_CONFIG,
                    size + " bytes of host memory are asked for; ask for at least 1");
        }
        Optional<Libc> libc = shared ? Libc.find() : Optional.empty();
        Arena arena = Arena.ofShared();
        try {
            // huge pages were set aside before, so what is free now says nothing of them
            Optional<SharedFile> huge = hugePages
                    ? libc.flatMap(bound -> SharedFile.ofReservedHugePages(bound, name, size, arena))
                    : Optional.empty();
            return huge.isPresent() ? shared(huge.get(), size, arena, MemoryLimits.Promise.NONE)
                    : limited(libc, size, arena);
        } catch (RuntimeException | Error e) {
            if (arena.scope().isAlive()) {
                arena.close();
            }
            throw e;
        }
    }

    private HostStorage limited(Optional<Libc> libc, long size, Arena arena) {
        MemoryLimits.Promise promise = limits.promise(size);
        try {
            Optional<SharedFile> file = libc
                    .flatMap(bound -> SharedFile.create(bound, name, size, hugePages, arena));
            return file.isPresent() ? shared(file.get(), size, arena, promise)
                    : new HostStorage(privateMemory(size, arena), arena, null,
                            new Reservation(size, (_, _) -> {}, promise), false, pinning);
        } catch (RuntimeException | Error e) {
            promise.close();
            throw e;
        }
    }

    private HostStorage shared(SharedFile file, long size, Arena arena, MemoryLimits.Promise promise) {
        boolean background = size >= backgroundFrom;
        return requireReserved(new HostStorage(file.memory(), arena, file,
                new Reservation(size, file::back, promise), background, pinning), background);
    }

    private static HostStorage requireReserved(HostStorage storage, boolean background) {
        if (!background && storage.reserved().toCompletableFuture().isCompletedExceptionally()) {
            RuntimeException failure = new StorageException(StorageException.Kind.ALLOCATION_FAILED,
                    "The system gave " + storage.reservedBytes() + " of " + storage.size()
                            + " bytes of host memory; configure fewer blocks",
                    storage.reserved().toCompletableFuture().exceptionNow());
            storage.close();
            throw failure;
        }
        return storage;
    }

    private static MemorySegment privateMemory(long size, Arena arena) {
        try {
            return arena.allocate(size, 64);
        } catch (OutOfMemoryError | IllegalArgumentException e) {
            throw new StorageException(StorageException.Kind.ALLOCATION_FAILED, "The system or the JVM refused " + size
                    + " bytes of host memory; configure fewer blocks, or raise -XX:MaxDirectMemorySize", e);
        }
    }

    /** What an allocator can be told. */
    public static final class Builder {

        private String name = "kvbm";
        private boolean shared = true;
        private boolean hugePages = true;
        private long backgroundFrom = 64L << 20;
        private MemoryLimits limits = MemoryLimits.SYSTEM;
        private @Nullable Pinning pinning;

        private Builder() {}

        /** What the memory is called in the system's tables; {@code kvbm} unless set. */
        public Builder name(String value) {
            this.name = value;
            return this;
        }

        /** Whether other processes of the same user may read the memory, where the system allows it; they may unless set. */
        public Builder shared(boolean value) {
            this.shared = value;
            return this;
        }

        /** Whether huge pages are used where there are any; they are unless set. */
        public Builder hugePages(boolean value) {
            this.hugePages = value;
            return this;
        }

        /** Bytes from which on storage is reserved in the background; 64 MiB unless set. */
        public Builder backgroundFrom(long value) {
            this.backgroundFrom = value;
            return this;
        }

        /** What page-locks the memory as soon as all of it is backed; nothing unless set. */
        public Builder pinning(Pinning value) {
            this.pinning = value;
            return this;
        }

        Builder limits(MemoryLimits value) {
            this.limits = value;
            return this;
        }

        /** The allocator. */
        public HostAllocator build() {
            return new HostAllocator(this);
        }
    }
}
