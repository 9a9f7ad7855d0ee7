package io.kvbm.storage;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.StorageException;

/**
 * An anonymous file in memory, mapped and sealed; it goes with its arena. The seals come after the own mapping: they
 * leave it writable and forbid every later writable one, in this process as in others, as well as any change of size.
 */
final class SharedFile {

    /** What keeps every process from resizing the file, and every other one from writing it. */
    static final int SEALS = Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_FUTURE_WRITE
            | Libc.F_SEAL_SEAL;
    private static final int FLAGS = Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING;
    private static final int EINTR = 4;
    private static final int ENOSPC = 28;
    private static final Path SHARED_HUGE_PAGES = Path.of("/sys/kernel/mm/transparent_hugepage/shmem_enabled");

    private static final Logger log = LoggerFactory.getLogger(SharedFile.class);

    private final Libc libc;
    private final int descriptor;
    private final HugePages hugePages;
    private final MemorySegment memory;

    private SharedFile(Libc libc, int descriptor, HugePages hugePages, MemorySegment memory) {
        this.libc = libc;
        this.descriptor = descriptor;
        this.hugePages = hugePages;
        this.memory = memory;
    }

    /** A file of this size made of reserved huge pages, or nothing where there are not as many. */
    static Optional<SharedFile> ofReservedHugePages(Libc libc, String name, long size, Arena arena) {
        return create(libc, name, size, FLAGS | Libc.MFD_HUGETLB, arena, HugePages.RESERVED);
    }

    /** A file of this size, or nothing with a line in the log where the system does not give one. */
    static Optional<SharedFile> create(Libc libc, String name, long size, boolean hugePages, Arena arena) {
        HugePages pages = hugePages && transparentAllowed() ? HugePages.TRANSPARENT : HugePages.NONE;
        Optional<SharedFile> file = create(libc, name, size, FLAGS, arena, pages);
        if (file.isEmpty()) {
            log.warn("Host memory is private to this process: the system gives no sealed memfd of {} bytes", size);
        }
        return file;
    }

    /** The size of a file with huge pages is a multiple of them; {@code ftruncate} refuses any other. */
    private static Optional<SharedFile> create(Libc libc, String name, long size, int flags, Arena arena,
            HugePages pages) {
        Libc.Result created = libc.memfdCreate(name, flags);
        if (created.failed()) {
            return Optional.empty();
        }
        int descriptor = (int) created.value();
        if (libc.ftruncate(descriptor, size).failed()) {
            libc.close(descriptor);
            return Optional.empty();
        }
        Libc.Result mapped = libc.mapShared(descriptor, size);
        if (mapped.failed()) {
            libc.close(descriptor);
            return Optional.empty();
        }
        if (libc.addSeals(descriptor, SEALS).failed()) {
            libc.unmap(memory(mapped.value(), size));
            libc.close(descriptor);
            return Optional.empty();
        }
        MemorySegment owned = owned(libc, mapped.value(), size, arena, descriptor);
        if (pages == HugePages.TRANSPARENT) {
            libc.madvise(owned, Libc.MADV_HUGEPAGE);
        }
        return Optional.of(new SharedFile(libc, descriptor, pages, owned));
    }

    @SuppressWarnings("restricted")
    private static MemorySegment memory(long address, long size) {
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    /** Mapping and descriptor go together, with the arena. */
    @SuppressWarnings("restricted")
    private static MemorySegment owned(Libc libc, long address, long size, Arena arena, int descriptor) {
        return MemorySegment.ofAddress(address).reinterpret(size, arena, memory -> {
            libc.unmap(memory);
            libc.close(descriptor);
        });
    }

    int descriptor() {
        return descriptor;
    }

    HugePages hugePages() {
        return hugePages;
    }

    MemorySegment memory() {
        return memory;
    }

    /**
     * Backs a piece of the file with memory and enters it into the page tables. Where huge pages come on advice the piece
     * is touched through the mapping: the advice belongs to the mapping, and memory allocated through the file, which
     * has no advice, is made of base pages for good.
     */
    void back(long offset, long size) {
        if (hugePages == HugePages.TRANSPARENT) {
            Libc.Result touched = libc.madvise(memory.asSlice(offset, size), Libc.MADV_POPULATE_WRITE);
            if (!touched.failed()) {
                return;
            }
            // an older kernel, or no memory: allocating tells which
        }
        Libc.Result allocated;
        do {
            allocated = libc.fallocate(descriptor, offset, size);
        } while (allocated.errno() == EINTR);
        if (allocated.failed()) {
            throw new StorageException(StorageException.Kind.ALLOCATION_FAILED, "The system refused " + size
                    + " bytes of host memory from " + offset + " on of " + memory.byteSize() + " with error "
                    + allocated.errno()
                    + (allocated.errno() == ENOSPC ? ", no space" : "") + "; configure fewer blocks");
        }
        MemorySegment piece = memory.asSlice(offset, size);
        if (libc.madvise(piece, Libc.MADV_POPULATE_WRITE).failed()) {
            // kernels before 5.14 do not know the call; the memory is reserved all the same and mapped when touched
            log.debug("Memory from {} on is mapped when it is first used", offset);
        }
    }

    private static boolean transparentAllowed() {
        try {
            String setting = Files.readString(SHARED_HUGE_PAGES);
            return setting.contains("[always]") || setting.contains("[advise]") || setting.contains("[within_size]");
        } catch (IOException e) {
            return false;
        }
    }
}
