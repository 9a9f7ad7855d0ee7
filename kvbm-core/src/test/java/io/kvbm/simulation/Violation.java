package io.kvbm.simulation;

/** Something has happened that never may. An error, so that no code under test takes it for one of its own. */
final class Violation extends Error {

    private static final long serialVersionUID = 1L;

    Violation(String what) {
        super(what);
    }

    Violation(String what, Throwable cause) {
        super(what, cause);
    }

    @SuppressWarnings("AnnotateFormatMethod") // the annotation would be a dependency more
    static void unless(boolean holds, String what, Object... values) {
        if (!holds) {
            throw new Violation(what.formatted(values));
        }
    }
}
