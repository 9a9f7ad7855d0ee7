package io.kvbm.storage;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.util.Optional;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.StorageException;

/**
 * The calls of Linux's C library that make shared memory. Bound at the first use, and only where the system is Linux
 * and native access is granted.
 */
@SuppressWarnings("restricted")
final class Libc {

    static final int MFD_CLOEXEC = 1;
    static final int MFD_ALLOW_SEALING = 2;
    static final int MFD_HUGETLB = 4;
    static final int F_GET_SEALS = 1034;
    static final int F_SEAL_SEAL = 1;
    static final int F_SEAL_SHRINK = 2;
    static final int F_SEAL_GROW = 4;
    static final int F_SEAL_FUTURE_WRITE = 16;
    static final int MADV_HUGEPAGE = 14;
    static final int MADV_POPULATE_WRITE = 23;
    static final int EINVAL = 22;
    static final int O_RDONLY_CLOEXEC = 0x80000;
    static final int O_NONBLOCK = 0x800;

    private static final int F_ADD_SEALS = 1033;
    private static final int PROT_READ = 1;
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int PRIO_PROCESS = 0;
    private static final int CALLING_THREAD = 0;
    private static final int LOWEST_PRIORITY = 19;

    private static final Logger log = LoggerFactory.getLogger(Libc.class);

    private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final AddressLayout PTR = ValueLayout.ADDRESS;

    private static @Nullable Libc bound;
    private static boolean tried;

    private final MethodHandle memfdCreate;
    private final MethodHandle open;
    private final MethodHandle ftruncate;
    private final MethodHandle fcntl;
    private final MethodHandle mmap;
    private final MethodHandle munmap;
    private final MethodHandle madvise;
    private final MethodHandle fallocate;
    private final MethodHandle close;
    private final MethodHandle setpriority;

    private Libc() {
        Linker linker = Linker.nativeLinker();
        SymbolLookup library = linker.defaultLookup();
        Linker.Option errno = Linker.Option.captureCallState("errno");
        ValueLayout.OfInt i = ValueLayout.JAVA_INT;
        ValueLayout.OfLong l = ValueLayout.JAVA_LONG;
        this.memfdCreate = linker.downcallHandle(library.findOrThrow("memfd_create"), FunctionDescriptor.of(i, PTR, i),
                errno);
        this.open = linker.downcallHandle(library.findOrThrow("open"), FunctionDescriptor.of(i, PTR, i), errno,
                Linker.Option.firstVariadicArg(2));
        this.ftruncate = linker.downcallHandle(library.findOrThrow("ftruncate"), FunctionDescriptor.of(i, i, l),
                errno);
        this.fcntl = linker.downcallHandle(library.findOrThrow("fcntl"), FunctionDescriptor.of(i, i, i, i), errno,
                Linker.Option.firstVariadicArg(2));
        this.mmap = linker.downcallHandle(library.findOrThrow("mmap"),
                FunctionDescriptor.of(PTR, PTR, l, i, i, i, l), errno);
        this.munmap = linker.downcallHandle(library.findOrThrow("munmap"), FunctionDescriptor.of(i, PTR, l), errno);
        this.madvise = linker.downcallHandle(library.findOrThrow("madvise"), FunctionDescriptor.of(i, PTR, l, i),
                errno);
        this.fallocate = linker.downcallHandle(library.findOrThrow("fallocate"), FunctionDescriptor.of(i, i, i, l, l),
                errno);
        this.close = linker.downcallHandle(library.findOrThrow("close"), FunctionDescriptor.of(i, i), errno);
        this.setpriority = linker.downcallHandle(library.findOrThrow("setpriority"), FunctionDescriptor.of(i, i, i, i),
                errno);
    }

    /** The library, or nothing with one line in the log where it cannot be used. */
    static synchronized Optional<Libc> find() {
        if (!tried) {
            tried = true;
            try {
                if (System.getProperty("os.name", "").startsWith("Linux")) {
                    bound = new Libc();
                } else {
                    log.info("Host memory is private to this process: shared memory needs Linux");
                }
            } catch (RuntimeException | LinkageError e) {
                log.warn("Host memory is private to this process: {}. Start the JVM with"
                        + " --enable-native-access=ALL-UNNAMED to share it", e.toString());
            }
        }
        return Optional.ofNullable(bound);
    }

    /** A file descriptor of anonymous memory. */
    Result memfdCreate(String name, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            int fd = (int) memfdCreate.invokeExact(capture, arena.allocateFrom(name), flags);
            return result(fd, capture);
        } catch (Throwable e) {
            throw unexpected("memfd_create", e);
        }
    }

    /** A descriptor of a file that is there. */
    Result open(String path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            return result((int) open.invokeExact(capture, arena.allocateFrom(path), flags), capture);
        } catch (Throwable e) {
            throw unexpected("open", e);
        }
    }

    Result ftruncate(int fd, long size) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            return result((int) ftruncate.invokeExact(capture, fd, size), capture);
        } catch (Throwable e) {
            throw unexpected("ftruncate", e);
        }
    }

    Result addSeals(int fd, int seals) {
        return fcntl(fd, F_ADD_SEALS, seals);
    }

    Result fcntl(int fd, int command, int argument) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            return result((int) fcntl.invokeExact(capture, fd, command, argument), capture);
        } catch (Throwable e) {
            throw unexpected("fcntl", e);
        }
    }

    /** Maps a whole file for reading and writing, shared. */
    Result mapShared(int fd, long size) {
        return map(fd, size, PROT_READ_WRITE);
    }

    /** Maps a whole file for reading, shared. */
    Result mapReadOnly(int fd, long size) {
        return map(fd, size, PROT_READ);
    }

    private Result map(int fd, long size, int protection) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            MemorySegment at = (MemorySegment) mmap.invokeExact(capture, MemorySegment.NULL, size, protection,
                    MAP_SHARED, fd, 0L);
            return result(at.address(), capture);
        } catch (Throwable e) {
            throw unexpected("mmap", e);
        }
    }

    Result unmap(MemorySegment memory) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            return result((int) munmap.invokeExact(capture, memory, memory.byteSize()), capture);
        } catch (Throwable e) {
            throw unexpected("munmap", e);
        }
    }

    Result madvise(MemorySegment memory, int advice) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            return result((int) madvise.invokeExact(capture, memory, memory.byteSize(), advice), capture);
        } catch (Throwable e) {
            throw unexpected("madvise", e);
        }
    }

    Result fallocate(int fd, long offset, long size) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            return result((int) fallocate.invokeExact(capture, fd, 0, offset, size), capture);
        } catch (Throwable e) {
            throw unexpected("fallocate", e);
        }
    }

    Result close(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            return result((int) close.invokeExact(capture, fd), capture);
        } catch (Throwable e) {
            throw unexpected("close", e);
        }
    }

    /** Lets every other thread go before the calling one; Linux keeps a priority per thread. */
    Result yieldToOthers() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment capture = arena.allocate(CAPTURE);
            return result((int) setpriority.invokeExact(capture, PRIO_PROCESS, CALLING_THREAD, LOWEST_PRIORITY),
                    capture);
        } catch (Throwable e) {
            throw unexpected("setpriority", e);
        }
    }

    private static Result result(long value, MemorySegment capture) {
        return new Result(value, value == -1 ? (int) ERRNO.get(capture, 0L) : 0);
    }

    private static StorageException unexpected(String call, Throwable cause) {
        return new StorageException(StorageException.Kind.OPERATION_FAILED, "The call of " + call + " itself failed",
                cause);
    }

    /**
     * What a call answered.
     *
     * @param value its result; -1 where it failed
     * @param errno why it failed
     */
    record Result(long value, int errno) {

        boolean failed() {
            return value == -1;
        }
    }
}
