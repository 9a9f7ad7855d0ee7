package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** Several steps that are all to be tried, such as releasing many things: the first failure is thrown at the end. */
public final class FirstFailure {

    private @Nullable RuntimeException failure;

    /** Nothing has failed yet. */
    public FirstFailure() {}

    /** Takes a step; what it throws is kept. */
    public void attempt(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            if (failure == null) {
                failure = e;
            } else {
                failure.addSuppressed(e);
            }
        }
    }

    /** Throws the first failure, to which the others are attached, or returns where there is none. */
    public void rethrow() {
        if (failure != null) {
            throw failure;
        }
    }
}
