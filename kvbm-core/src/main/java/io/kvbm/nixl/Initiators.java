package io.kvbm.nixl;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.IntFunction;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.RemoteException;
import io.kvbm.storage.HostStorage;
import io.kvbm.time.MonotonicClock;

/**
 * The initiator in use, and those that are being given up. One that holds blocks in doubt for a while is replaced: then
 * nothing new goes by it, what is under way may end, and closing it frees what it holds.
 */
final class Initiators implements AutoCloseable {

    private static final long AGAIN_NANOS = 1_000_000_000;

    private static final Logger log = LoggerFactory.getLogger(Initiators.class);

    private final IntFunction<Initiator> make;
    private final long patienceNanos;
    private final Set<HostStorage> storages = new HashSet<>();
    private final List<Initiator> givenUp = new ArrayList<>();
    private @Nullable Initiator current;
    private final List<Thread> renewing = new ArrayList<>();
    private int made;
    private boolean closed;

    /**
     * Makes the first.
     *
     * @param make makes the n-th
     * @param patienceNanos how long blocks are in doubt before an initiator is replaced, and how long it has to end then
     */
    Initiators(IntFunction<Initiator> make, long patienceNanos) {
        this.make = make;
        this.patienceNanos = patienceNanos;
        this.current = make.apply(++made);
    }

    /**
     * The one to use.
     *
     * @throws RemoteException {@code BUSY} where the next is being made
     */
    synchronized Initiator current() {
        if (current == null) {
            throw new RemoteException(RemoteException.Kind.BUSY,
                    "The agent that reaches other workers is made anew, as transfers of the last one ended in doubt or not"
                            + " at all; ask again, or compute the blocks");
        }
        return current;
    }

    synchronized void register(HostStorage storage) {
        if (current != null) {
            current.register(storage);
        }
        storages.add(storage);
    }

    synchronized void withdraw(HostStorage storage) {
        storages.remove(storage);
        all().forEach(initiator -> initiator.withdraw(storage));
    }

    private List<Initiator> all() {
        List<Initiator> all = new ArrayList<>(givenUp);
        if (current != null) {
            all.add(current);
        }
        return all;
    }

    /** The number of blocks that may still be moved though nobody waits for it. */
    synchronized int inDoubt() {
        return all().stream().mapToInt(Initiator::inDoubt).sum();
    }

    /** Replaces the one in use where it has held blocks for too long. */
    void look() {
        Initiator used;
        synchronized (this) {
            used = current;
        }
        if (used != null) {
            OptionalLong since = used.doubtSince();
            if (since.isPresent() && MonotonicClock.SYSTEM.nanoTime() - since.getAsLong() > patienceNanos) {
                replace(used);
            }
        }
    }

    private synchronized void replace(Initiator used) {
        if (current == used && !closed) {
            log.info("{} blocks may still be moved by {} after transfers that failed or were late; another agent takes"
                    + " its place, and they are free when it is gone", used.inDoubt(), used);
            current = null;
            givenUp.add(used);
            renewing.removeIf(thread -> !thread.isAlive());
            // neither waits for the other: none can be made while the network is out, and an end may take long
            renewing.add(Thread.ofPlatform().name("kvbm-nixl-anew").daemon().start(this::renew));
            renewing.add(Thread.ofPlatform().name("kvbm-nixl-end").daemon().start(() -> giveUp(used)));
        }
    }

    private void renew() {
        try {
            while (!makeNext()) {
                pause();
            }
        } catch (InterruptedException e) {
            log.debug("No other agent is made, as the transport is closed");
        }
    }

    private synchronized void pause() throws InterruptedException {
        long end = MonotonicClock.SYSTEM.nanoTime() + AGAIN_NANOS;
        for (long left = AGAIN_NANOS; !closed && left > 0; left = end - MonotonicClock.SYSTEM.nanoTime()) {
            wait(left / 1_000_000 + 1);
        }
    }

    /** Whether there is one now, or none will be needed. Much memory takes its time, in which nobody is to wait. */
    private boolean makeNext() {
        Set<HostStorage> known;
        int number;
        synchronized (this) {
            known = Set.copyOf(storages);
            number = ++made;
        }
        Initiator next = null;
        try {
            next = make.apply(number);
            known.forEach(next::register);
            use(next, known);
            return true;
        } catch (RuntimeException e) {
            log.warn("No agent that reaches other workers could be made; it is tried again every second", e);
            if (next != null) {
                next.close();
            }
            return false;
        }
    }

    private synchronized void use(Initiator next, Set<HostStorage> known) {
        if (closed) {
            next.close();
            return;
        }
        known.stream().filter(storage -> !storages.contains(storage)).forEach(next::withdraw);
        storages.forEach(next::register);
        current = next;
    }

    private void giveUp(Initiator used) {
        try {
            used.awaitEnd(patienceNanos);
        } catch (InterruptedException e) {
            log.debug("{} is closed at once, as the transport is", used);
        }
        try {
            used.close();
        } catch (RuntimeException e) {
            log.warn("{} did not end well", used, e);
        } finally {
            synchronized (this) {
                givenUp.remove(used);
            }
        }
    }

    /** Closes all. */
    @Override
    public void close() {
        Initiator last;
        List<Thread> threads;
        synchronized (this) {
            closed = true;
            last = current;
            current = null;
            threads = List.copyOf(renewing);
        }
        threads.forEach(Thread::interrupt);
        threads.forEach(Initiators::join);
        if (last != null) {
            last.close();
        }
    }

    private static void join(Thread renewal) {
        boolean interrupted = false;
        while (renewal.isAlive()) {
            try {
                renewal.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
