package io.kvbm.nixl;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongConsumer;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ClosedException;
import io.kvbm.error.FirstFailure;
import io.kvbm.error.NixlException;

/**
 * Something that NIXL has opened for us, and what was built on it. Closing it closes that first, last first, so that
 * NIXL never follows a pointer into what is gone. It refers to no object that a user holds, so that the collector can
 * tell when a user holds none any more. All of it happens under the lock of the agent.
 */
final class NativeHandle {

    /** Of all agents, as a process has one library. */
    private static final LongAdder OPEN = new LongAdder();

    private final ReentrantLock lock;
    private final String name;
    private final LongConsumer release;
    private final List<NativeHandle> foundations;
    private @Nullable SequencedSet<NativeHandle> dependents;
    private long pointer;
    private @Nullable NixlException reason;

    /**
     * Something open.
     *
     * @param name what it is, for messages
     * @param release closes it; called once
     * @param foundations what it cannot outlive
     */
    NativeHandle(ReentrantLock lock, String name, long pointer, LongConsumer release,
            List<NativeHandle> foundations) {
        this.lock = lock;
        this.name = name;
        this.pointer = pointer;
        this.release = release;
        this.foundations = foundations;
        for (NativeHandle foundation : foundations) {
            foundation.carry(this);
        }
        OPEN.increment();
    }

    /** How many are open. */
    static long open() {
        return OPEN.sum();
    }

    private void carry(NativeHandle dependent) {
        if (dependents == null) {
            dependents = new LinkedHashSet<>();
        }
        dependents.add(dependent);
    }

    /**
     * Where it is; valid until the lock is given back.
     *
     * @throws ClosedException after it was closed
     * @throws NixlException where it was closed because what it was built on has failed
     */
    long pointer() {
        assert lock.isHeldByCurrentThread();
        if (pointer != 0) {
            return pointer;
        }
        if (reason != null) {
            throw new NixlException(reason.kind(), reason.function(), reason.status(),
                    name + " is closed: " + reason.getMessage());
        }
        throw new ClosedException(name + " is closed; use it before, or make a new one");
    }

    boolean isOpen() {
        lock.lock();
        try {
            return pointer != 0;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Closes what was built on it, then itself; the first failure is thrown after all was tried. Further calls do
     * nothing.
     *
     * @return whether it was open
     */
    boolean close() {
        lock.lock();
        try {
            FirstFailure failure = new FirstFailure();
            boolean open = close(null, failure);
            failure.rethrow();
            return open;
        } finally {
            lock.unlock();
        }
    }

    /** Closes it because of a failure, which is what later uses of it, and of what was built on it, are told. */
    void closeBecauseOf(NixlException cause) {
        assert lock.isHeldByCurrentThread();
        FirstFailure failure = new FirstFailure();
        close(cause, failure);
        try {
            failure.rethrow();
        } catch (RuntimeException e) {
            cause.addSuppressed(e);
        }
    }

    private boolean close(@Nullable NixlException cause, FirstFailure failure) {
        if (pointer == 0) {
            return false;
        }
        if (dependents != null) {
            for (NativeHandle dependent : new ArrayList<>(dependents.reversed())) {
                dependent.close(cause, failure);
            }
        }
        long last = pointer;
        pointer = 0;
        reason = cause;
        for (NativeHandle foundation : foundations) {
            if (foundation.dependents != null) {
                foundation.dependents.remove(this);
            }
        }
        OPEN.decrement();
        failure.attempt(() -> release.accept(last));
        return true;
    }

    @Override
    public String toString() {
        return name;
    }
}
