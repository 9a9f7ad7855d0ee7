package io.kvbm.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

import io.kvbm.error.StorageException;

/**
 * Memory of another process of this user and host, mapped for reading. Only files that are sealed are mapped: they keep
 * their size, so that no read can fail, and nobody but their owner can write them. The mapping outlives its owner, with
 * the bytes that were there last.
 */
public final class SharedMapping implements Storage {

    private final MemorySegment segment;
    private final Arena arena;
    private final long inode;
    private boolean closed;

    private SharedMapping(MemorySegment segment, Arena arena, long inode) {
        this.segment = segment;
        this.arena = arena;
        this.inode = inode;
    }

    /**
     * Maps a file that another process has open.
     *
     * @param pid its process id, as this process sees it
     * @param descriptor its file descriptor
     * @throws StorageException {@code NOT_ACCESSIBLE} where there is no such file, it is no anonymous memory or another
     *         user's, it is not sealed, or the system does not map it
     */
    @SuppressWarnings("MustBeClosedChecker") // the arena is the mapping's, which closes it
    public static SharedMapping open(long pid, int descriptor) {
        Libc libc = Libc.find()
                .orElseThrow(() -> notAccessible(pid, descriptor, "shared memory needs Linux and native access"));
        Path link = FileDescriptors.path(pid, descriptor);
        if (!FileDescriptors.isMemory(link)) {
            throw notAccessible(pid, descriptor, "it is no memory of a process of this user and host");
        }
        Libc.Result opened = libc.open(link.toString(), Libc.O_RDONLY_CLOEXEC | Libc.O_NONBLOCK);
        if (opened.failed()) {
            throw notAccessible(pid, descriptor, "opening it failed with error " + opened.errno());
        }
        int own = (int) opened.value();
        Arena arena = Arena.ofShared();
        try {
            requireSealed(libc, own, pid, descriptor);
            long size = FileDescriptors.size(own);
            Libc.Result mapped = libc.mapReadOnly(own, size);
            if (mapped.failed()) {
                throw notAccessible(pid, descriptor, "mapping its " + size + " bytes failed with error "
                        + mapped.errno());
            }
            return new SharedMapping(owned(libc, mapped.value(), size, arena), arena, FileDescriptors.inode(own));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        } finally {
            libc.close(own);
        }
    }

    /** The seals cannot be taken off again, so what is true now stays true. */
    private static void requireSealed(Libc libc, int own, long pid, int descriptor) {
        Libc.Result seals = libc.fcntl(own, Libc.F_GET_SEALS, 0);
        if (seals.failed() || (seals.value() & SharedFile.SEALS) != SharedFile.SEALS) {
            throw notAccessible(pid, descriptor, "it is not sealed against resizing and foreign writes (seals "
                    + seals.value() + ", needed " + SharedFile.SEALS + ")");
        }
    }

    @SuppressWarnings("restricted")
    private static MemorySegment owned(Libc libc, long address, long size, Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(size, arena, libc::unmap).asReadOnly();
    }

    private static StorageException notAccessible(long pid, int descriptor, String why) {
        return new StorageException(StorageException.Kind.NOT_ACCESSIBLE,
                "File " + descriptor + " of process " + pid + " cannot be mapped: " + why);
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

    /** The memory, read-only. */
    @Override
    public MemorySegment segment() {
        return segment;
    }

    /** The number by which the system knows the file, the same in all processes of the host. */
    public long inode() {
        return inode;
    }

    /**
     * Unmaps the memory. Further calls do nothing.
     *
     * @throws StorageException {@code OPERATION_FAILED} where a native call still reads it after two seconds; closing
     *         again tries again
     */
    @Override
    public synchronized void close() {
        if (!closed) {
            NativeUse.awaitEndAndClose(arena, size());
            closed = true;
        }
    }
}
