package io.kvbm.nixl;

import java.lang.foreign.Arena;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;

/** The few functions of the C library that NIXL's environment and its memory need, bound when the object is made. */
final class CLibrary {

    private static final int RTLD_LAZY = 1;

    CLibrary() {
        Native.register(CLibrary.class, NativeLibrary.getProcess());
    }

    /** Sets a variable for native code, which does not see what Java holds; one that is set stays. */
    void setDefault(String variable, String value) {
        try (Arena arena = Arena.ofConfined()) {
            setenv(arena.allocateFrom(variable).address(), arena.allocateFrom(value).address(), 0);
        }
    }

    /** Loads a library for the rest of the process's life; nothing happens where it is not there. */
    void load(String library) {
        try (Arena arena = Arena.ofConfined()) {
            dlopen(arena.allocateFrom(library).address(), RTLD_LAZY);
        }
    }

    /** Gives memory back that a C function has allocated for its caller. */
    native void free(long address);

    private native int setenv(long name, long value, int overwrite);

    private native long dlopen(long file, int flags);
}
