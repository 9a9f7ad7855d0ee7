package io.kvbm.nixl;

import io.kvbm.error.NixlException;

/** What a function of NIXL's C API answers. */
enum NixlStatus {
    SUCCESS(0),
    IN_PROG(1),
    ERROR_INVALID_PARAM(-1),
    ERROR_BACKEND(-2),
    ERROR_INVALID_STATE(-3),
    ERROR_EXCEPTION(-4),
    ERROR_NO_TELEMETRY(-5),
    ERROR_NOT_FOUND(-6);

    private static final NixlStatus[] VALUES = values();

    private final int code;

    NixlStatus(int code) {
        this.code = code;
    }

    /** Whether a status that a function answered is no failure. */
    static boolean isGood(int code) {
        return code >= 0;
    }

    /** Whether a status is this one. */
    boolean is(int other) {
        return code == other;
    }

    /** The name of a status, also of one that a later version of the library may have. */
    static String name(int code) {
        for (NixlStatus status : VALUES) {
            if (status.code == code) {
                return status.name();
            }
        }
        return "status " + code;
    }

    /**
     * Lets a good status pass.
     *
     * @param function the function in C that answered it
     * @param kind what its failure means where it was called
     * @param message what failed, with its value, and what to do
     * @throws NixlException of the kind where the status is none of success
     */
    static void check(int code, String function, NixlException.Kind kind, String message) {
        if (!isGood(code)) {
            throw failure(code, function, kind, message);
        }
    }

    /** What a bad status means where the function was called. */
    static NixlException failure(int code, String function, NixlException.Kind kind, String message) {
        return new NixlException(kind, function, name(code),
                message + " (" + function + " answered " + name(code) + ")");
    }
}
