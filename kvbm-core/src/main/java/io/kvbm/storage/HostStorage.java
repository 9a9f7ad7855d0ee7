package io.kvbm.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CompletionStage;
import java.util.function.LongConsumer;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.KvbmException;
import io.kvbm.error.StorageException;

/**
 * Host memory: where Linux allows it a sealed {@code memfd}, which other processes of the same user can map but never
 * write, shrink or grow; elsewhere memory of this process alone. It holds zeroes at first.
 */
public final class HostStorage implements RegistrableStorage {

    /** The key under which page-locking is registered. */
    private static final String PINNED = "pinned";

    private static final Logger log = LoggerFactory.getLogger(HostStorage.class);

    private final MemorySegment segment;
    private final Arena arena;
    private final @Nullable SharedFile file;
    private final Reservation reservation;
    private final StorageType type;
    private final @Nullable Thread reserver;
    private final Registrations registrations = new Registrations();
    private boolean closed;

    HostStorage(MemorySegment segment, Arena arena, @Nullable SharedFile file, Reservation reservation,
            boolean background, @Nullable Pinning pinning) {
        this.segment = segment;
        this.arena = arena;
        this.file = file;
        this.reservation = reservation;
        this.type = pinning == null ? new StorageType.System() : new StorageType.Pinned();
        if (pinning != null) {
            var _ = reservation.done().thenRun(() -> pin(pinning));
        }
        if (background) {
            this.reserver = Thread.ofPlatform()
                    .name("kvbm-reserve")
                    .daemon()
                    .start(() -> reserveBehindOthers(reservation));
        } else {
            this.reserver = null;
            reservation.run();
        }
    }

    /** An application that starts needs the processors more than memory that it will use later. */
    private static void reserveBehindOthers(Reservation reservation) {
        Libc.find().ifPresent(Libc::yieldToOthers);
        reservation.run();
    }

    /** Blocks that are moved before it is done, or without it, are moved all the same, only more slowly. */
    private void pin(Pinning pinning) {
        try {
            registrations.register(PINNED, () -> pinning.pin(address(), size()));
        } catch (KvbmException e) {
            log.warn(
                    "{} bytes of host memory are not page-locked, so that they are copied twice on the way to the GPU and"
                            + " back: {}",
                    size(), e.getMessage());
        }
    }

    /** Whether it is page-locked now. */
    public boolean isPinned() {
        return registrations.isRegistered(PINNED);
    }

    @Override
    public StorageType type() {
        return type;
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
        reservation.onReserved(listener);
    }

    @Override
    public CompletionStage<Void> reserved() {
        return reservation.done();
    }

    /** Bytes at the start that are backed by memory. */
    public long reservedBytes() {
        return reservation.reserved();
    }

    /** The file descriptor that other processes map; empty where the memory is private. */
    public OptionalInt fileDescriptor() {
        return file == null ? OptionalInt.empty() : OptionalInt.of(file.descriptor());
    }

    /** The number by which the system knows the file; empty where the memory is private. */
    public OptionalLong inode() {
        return file == null ? OptionalLong.empty() : OptionalLong.of(FileDescriptors.inode(file.descriptor()));
    }

    /** The pages that the memory is made of. */
    public HugePages hugePages() {
        return file == null ? HugePages.NONE : file.hugePages();
    }

    @Override
    public Registrations registrations() {
        return registrations;
    }

    /**
     * Sets bytes.
     *
     * @throws StorageException {@code OPERATION_FAILED} where the range leaves the memory
     */
    public void fill(byte value, long offset, long size) {
        if (offset < 0 || size < 0 || offset > size() - size) {
            throw new StorageException(StorageException.Kind.OPERATION_FAILED, size + " bytes from " + offset
                    + " on are to be filled of a storage of " + size() + " bytes; stay inside");
        }
        segment.asSlice(offset, size).fill(value);
    }

    /**
     * Releases what is registered, then the memory. Further calls do nothing.
     *
     * @throws StorageException {@code OPERATION_FAILED} where a native call is still using the memory after two seconds;
     *         the memory stays, and closing again tries again
     */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        reservation.stop();
        awaitReserver();
        try {
            registrations.releaseAll();
        } finally {
            free();
        }
    }

    private void free() {
        try {
            NativeUse.awaitEndAndClose(arena, size());
        } catch (StorageException e) {
            synchronized (this) {
                closed = false;
            }
            throw e;
        }
    }

    /** A piece that is being backed has to end before its mapping goes; it takes milliseconds. */
    private void awaitReserver() {
        if (reserver == null || reserver == Thread.currentThread()) {
            return;
        }
        boolean interrupted = false;
        while (true) {
            try {
                reserver.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public String toString() {
        return "HostStorage[" + size() + " bytes, " + (file == null ? "private" : "shared") + ", pages "
                + hugePages() + "]";
    }
}
