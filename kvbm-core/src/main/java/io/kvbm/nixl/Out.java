package io.kvbm.nixl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Two words of memory into which functions write what they hand out; read before the next call. Made once, so that
 * calls that are made all the time allocate nothing.
 */
final class Out {

    private final MemorySegment memory = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, 2);

    Out() {}

    /** The address of the first word. */
    long first() {
        return memory.address();
    }

    /** The address of the second word. */
    long second() {
        return memory.address() + Long.BYTES;
    }

    /** What was written to the first word. */
    long value() {
        return memory.getAtIndex(ValueLayout.JAVA_LONG, 0);
    }

    /** What was written to the second word. */
    long secondValue() {
        return memory.getAtIndex(ValueLayout.JAVA_LONG, 1);
    }
}
