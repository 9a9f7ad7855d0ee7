package io.kvbm.storage;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.StorageException;

/**
 * Copies between runs of host memory. The C library chooses among more ways of copying than the JVM does, so it is
 * called where it can be; bounds, liveness and writability are checked as the JVM's own copy checks them.
 */
public final class MemoryCopy {

    /**
     * The most bytes that the JVM copies itself. A call of the C library holds both memories open and fences the
     * processor, which a short copy does not make good.
     */
    private static final long MAX_JVM_BYTES = 16 << 10;

    private MemoryCopy() {}

    /**
     * Copies bytes; the two ranges may overlap.
     *
     * @throws IndexOutOfBoundsException where a range leaves its memory
     * @throws IllegalArgumentException where the destination is read-only
     */
    public static void copy(MemorySegment source, long sourceOffset, MemorySegment destination, long destinationOffset,
            long size) {
        MethodHandle memmove = Bound.MEMMOVE;
        if (memmove == null || size <= MAX_JVM_BYTES || !source.isNative() || !destination.isNative()
                || destination.isReadOnly()) {
            MemorySegment.copy(source, sourceOffset, destination, destinationOffset, size);
            return;
        }
        MemorySegment from = source.asSlice(sourceOffset, size);
        MemorySegment to = destination.asSlice(destinationOffset, size);
        try {
            var _ = (MemorySegment) memmove.invokeExact(to, from, size);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new StorageException(StorageException.Kind.OPERATION_FAILED, "The call of memmove itself failed", e);
        }
    }

    /** Looked up at the first copy; a constant, so that the call is compiled into its caller. */
    private static final class Bound {

        private static final @Nullable MethodHandle MEMMOVE = find();

        @SuppressWarnings("restricted")
        private static @Nullable MethodHandle find() {
            if (Libc.find().isEmpty()) {
                return null;
            }
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().findOrThrow("memmove"), FunctionDescriptor
                    .of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
        }
    }
}
