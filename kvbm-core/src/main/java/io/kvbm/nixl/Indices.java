package io.kvbm.nixl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Memory in which the indices of a request are handed to NIXL, which copies them. Kept from one request to the next, and
 * larger with the first that needs it; JNA would copy each array to memory of its own.
 */
final class Indices {

    private MemorySegment memory = Arena.ofAuto().allocate(ValueLayout.JAVA_INT, 256);

    Indices() {}

    /** Writes the indices of one side and behind them as many of the other, and returns the address of the first. */
    long write(int[] local, int[] remote) {
        long bytes = 2L * local.length * Integer.BYTES;
        if (memory.byteSize() < bytes) {
            memory = Arena.ofAuto().allocate(2 * bytes, Integer.BYTES);
        }
        MemorySegment.copy(local, 0, memory, ValueLayout.JAVA_INT, 0, local.length);
        MemorySegment.copy(remote, 0, memory, ValueLayout.JAVA_INT, (long) local.length * Integer.BYTES,
                remote.length);
        return memory.address();
    }
}
