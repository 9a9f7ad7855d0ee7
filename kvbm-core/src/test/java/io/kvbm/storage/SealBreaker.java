package io.kvbm.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.EnumMap;
import java.util.Map;

/**
 * Tries whatever could change memory that another process shares, or take it away from under its readers; in this
 * process, or as one of its own.
 */
@SuppressWarnings("restricted")
final class SealBreaker {

    private static final int O_RDWR = 2;
    private static final int PROT_READ_WRITE = 3;
    private static final int PUNCH_HOLE_KEEP_SIZE = 3;

    private static final Libc LIBC = Libc.find().orElseThrow();
    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle MPROTECT = call("mprotect", FunctionDescriptor.of(ValueLayout.JAVA_INT,
            ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    private static final MethodHandle FALLOCATE = call("fallocate", FunctionDescriptor.of(ValueLayout.JAVA_INT,
            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle WRITE = call("pwrite", FunctionDescriptor.of(ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));

    /** What is tried, in this order; the last one would refuse what comes before it. */
    enum Attempt {
        WRITE, MAP_TO_WRITE, MAKE_A_MAPPING_WRITABLE, PUNCH_A_HOLE, SHRINK, GROW, ADD_A_SEAL
    }

    private SealBreaker() {}

    private static MethodHandle call(String name, FunctionDescriptor signature) {
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), signature);
    }

    /** Whether each of the attempts succeeds on an open file of a process. */
    static Map<Attempt, Boolean> tryAll(long pid, int descriptor) {
        String path = FileDescriptors.path(pid, descriptor).toString();
        int own = (int) LIBC.open(path, O_RDWR | Libc.O_RDONLY_CLOEXEC).value();
        if (own < 0) {
            throw new IllegalStateException(path + " cannot be opened");
        }
        Map<Attempt, Boolean> successes = new EnumMap<>(Attempt.class);
        long size = FileDescriptors.size(own);
        for (Attempt attempt : Attempt.values()) {
            successes.put(attempt, succeeds(attempt, own, size));
        }
        LIBC.close(own);
        return successes;
    }

    private static boolean succeeds(Attempt attempt, int own, long size) {
        return switch (attempt) {
            case WRITE -> writes(own);
            case MAP_TO_WRITE -> unmapped(LIBC.mapShared(own, size), size);
            case MAKE_A_MAPPING_WRITABLE -> makesWritable(own, size);
            case PUNCH_A_HOLE -> punches(own, size);
            case SHRINK -> !LIBC.ftruncate(own, size / 2).failed();
            case GROW -> !LIBC.ftruncate(own, size * 2).failed();
            case ADD_A_SEAL -> !LIBC.addSeals(own, Libc.F_SEAL_SHRINK).failed();
        };
    }

    private static boolean writes(int own) {
        try (Arena arena = Arena.ofConfined()) {
            return (long) WRITE.invokeExact(own, arena.allocate(1), 1L, 0L) == 1;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean unmapped(Libc.Result mapped, long size) {
        if (!mapped.failed()) {
            LIBC.unmap(MemorySegment.ofAddress(mapped.value()).reinterpret(size));
        }
        return !mapped.failed();
    }

    private static boolean makesWritable(int own, long size) {
        Libc.Result readable = LIBC.mapReadOnly(own, size);
        if (readable.failed()) {
            throw new IllegalStateException("The file cannot even be mapped to be read");
        }
        boolean made = makesWritable(MemorySegment.ofAddress(readable.value()).reinterpret(size));
        return unmapped(readable, size) && made;
    }

    /** Whether memory that is mapped to be read can be made writable. */
    static boolean makesWritable(MemorySegment memory) {
        try {
            return (int) MPROTECT.invokeExact(memory, memory.byteSize(), PROT_READ_WRITE) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean punches(int own, long size) {
        try {
            return (int) FALLOCATE.invokeExact(own, PUNCH_HOLE_KEEP_SIZE, 0L, size) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Says which attempts succeed on the file that is named by process id and descriptor, one line each. */
    public static void main(String[] args) {
        tryAll(Long.parseLong(args[0]), Integer.parseInt(args[1]))
                .forEach((attempt, success) -> System.out.println(attempt + " " + success));
    }
}
