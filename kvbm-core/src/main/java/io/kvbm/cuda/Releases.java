package io.kvbm.cuda;

import java.util.ArrayDeque;
import java.util.Deque;

import io.kvbm.error.FirstFailure;

/** What has to be given back of things that were made one after the other, in the opposite order. */
final class Releases implements AutoCloseable {

    private final Deque<Runnable> due = new ArrayDeque<>();

    void add(Runnable release) {
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
}
