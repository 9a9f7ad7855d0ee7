package io.kvbm.nixl;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Memory that a C function has handed out by its address. */
@SuppressWarnings("restricted")
final class ForeignBytes {

    private ForeignBytes() {}

    /** A copy of bytes. */
    static byte[] copy(long address, long size) {
        return size == 0
                ? new byte[0]
                : MemorySegment.ofAddress(address).reinterpret(size).toArray(ValueLayout.JAVA_BYTE);
    }

    /** A string that ends with a NUL. */
    static String string(long address) {
        return MemorySegment.ofAddress(address).reinterpret(Long.MAX_VALUE).getString(0);
    }
}
