package io.kvbm.error;

import java.util.ArrayDeque;
import java.util.Deque;

/** What has to be given back of things that were made one after the other, in the opposite order. For one thread. */
public final class Releases implements AutoCloseable {

    private final Deque<Runnable> due = new ArrayDeque<>();

    /** Nothing has to be given back yet. */
    public Releases() {}

    /** Takes what gives back the thing that was made last. */
    public void add(Runnable release) {
        due.push(release);
    }

    /** Gives everything back; the first failure is thrown with the others attached. Further calls do nothing. */
    @Override
    public void close() {
        FirstFailure failure = new FirstFailure();
        while (!due.isEmpty()) {
            failure.attempt(due.pop());
        }
        failure.rethrow();
    }

    /** Gives everything back because of a failure, to which is attached what fails on the way. */
    public void closeAfter(Throwable cause) {
        try {
            close();
        } catch (RuntimeException e) {
            cause.addSuppressed(e);
        }
    }
}
