package io.kvbm.nixl;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntFunction;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.FirstFailure;
import io.kvbm.error.RemoteException;
import io.kvbm.storage.HostStorage;
import io.kvbm.time.MonotonicClock;

/**
 * The initiator in use, and those that are being given up. One that holds blocks in doubt for a while, or does not come
 * back from NIXL, is replaced: then nothing new goes by it, what is under way may end, and its end frees what it holds.
 */
final class Initiators implements AutoCloseable {

    private static final Duration AGAIN = Duration.ofSeconds(1);

    /** For so long an initiator may be at one thing; copies of much memory take their time. */
    private static final Duration STUCK = Duration.ofSeconds(15);

    private static final Duration MOST_TO_END = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(Initiators.class);

    private final IntFunction<Initiator> make;
    private final Duration patience;

    /** Guards the storages. It is held in calls of NIXL, so requests never wait for it. */
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition closing = lock.newCondition();
    private final Set<HostStorage> storages = new HashSet<>();

    private final List<Initiator> givenUp = new CopyOnWriteArrayList<>();
    private volatile @Nullable Initiator current;
    private volatile boolean closed;
    private int made;

    /**
     * Makes the first.
     *
     * @param make makes the n-th
     * @param patience how long blocks are in doubt before an initiator is replaced, and how long it has to end then
     */
    Initiators(IntFunction<Initiator> make, Duration patience) {
        this.make = make;
        this.patience = patience;
        this.current = make.apply(++made);
    }

    /**
     * The one to use.
     *
     * @throws RemoteException {@code BUSY} where the next is being made
     */
    Initiator current() {
        Initiator used = current;
        if (used == null) {
            throw new RemoteException(RemoteException.Kind.BUSY,
                    "The agent that reaches other workers is made anew, as transfers of the last one ended in doubt or not"
                            + " at all; ask again, or compute the blocks");
        }
        return used;
    }

    void register(HostStorage storage) {
        lock.lock();
        try {
            Initiator used = current;
            if (used != null) {
                used.register(storage);
            }
            storages.add(storage);
        } finally {
            lock.unlock();
        }
    }

    void withdraw(HostStorage storage) {
        lock.lock();
        try {
            storages.remove(storage);
            Initiator used = current; // before those given up, of which it may be one by now
            FirstFailure failure = new FirstFailure();
            if (used != null) {
                failure.attempt(() -> used.withdraw(storage));
            }
            givenUp.forEach(initiator -> failure.attempt(() -> initiator.withdraw(storage)));
            failure.rethrow();
        } finally {
            lock.unlock();
        }
    }

    /** The number of blocks that may still be moved though nobody waits for it. */
    int inDoubt() {
        Initiator used = current;
        return givenUp.stream().mapToInt(Initiator::inDoubt).sum() + (used == null ? 0 : used.inDoubt());
    }

    /** Replaces the one in use where it has held blocks for too long, or is stuck; waits for nothing. */
    void look() {
        Initiator used = current;
        if (used == null || closed) {
            return;
        }
        long now = MonotonicClock.SYSTEM.nanoTime();
        OptionalLong since = used.doubtSince();
        if ((since.isPresent() && now - since.getAsLong() > patience.toNanos())
                || now - used.lastTurn() > STUCK.toNanos()) {
            replace(used);
        }
    }

    private void replace(Initiator used) {
        log.info("{} blocks may still be moved by {} after transfers that failed or were late; another agent takes its"
                + " place, and they are free when it is gone", used.inDoubt(), used);
        givenUp.add(used);
        current = null;
        // neither waits for the other: none can be made while the network is out, and an end may take long
        Thread.ofPlatform().name("kvbm-nixl-anew").daemon().start(this::renew);
        Thread.ofPlatform().name("kvbm-nixl-end").daemon().start(() -> giveUp(used));
    }

    private void renew() {
        while (!makeNext()) {
            pause();
        }
    }

    private void pause() {
        lock.lock();
        try {
            long left = AGAIN.toNanos();
            while (!closed && left > 0) {
                left = closing.awaitNanos(left);
            }
        } catch (InterruptedException e) {
            log.debug("It is tried again at once", e); // nobody interrupts it
        } finally {
            lock.unlock();
        }
    }

    /** Whether there is one now, or none will be needed. */
    private boolean makeNext() {
        lock.lock();
        try {
            if (closed) {
                return true;
            }
            Initiator next = make.apply(++made);
            try {
                storages.forEach(next::register);
                current = next;
            } finally {
                if (current != next) {
                    next.stop();
                }
            }
            return true;
        } catch (RuntimeException | Error e) {
            log.warn("No agent that reaches other workers could be made; it is tried again every second", e);
            return false;
        } finally {
            lock.unlock();
        }
    }

    private void giveUp(Initiator used) {
        try {
            used.awaitEnd(patience.toNanos());
        } catch (InterruptedException e) {
            log.debug("{} ends at once", used); // nobody interrupts it
        }
        used.stop();
        while (!used.awaitStop(MOST_TO_END)) {
            log.error("{} does not come back from NIXL; {} blocks that it may still move are held", used,
                    used.inDoubt());
        }
        if (used.isClosed()) {
            givenUp.remove(used);
        }
    }

    /** Ends all, and waits for it as long as may be expected. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            closing.signalAll();
        } finally {
            lock.unlock();
        }
        Initiator last = current;
        current = null;
        if (last != null) {
            givenUp.add(last);
        }
        givenUp.forEach(Initiator::stop);
        long deadline = MonotonicClock.SYSTEM.nanoTime() + MOST_TO_END.toNanos();
        for (Initiator initiator : givenUp) {
            long left = Math.max(1, deadline - MonotonicClock.SYSTEM.nanoTime());
            if (!initiator.awaitStop(Duration.ofNanos(left))) {
                log.error("{} does not come back from NIXL; {} blocks that it may still move are held", initiator,
                        initiator.inDoubt());
            }
        }
        givenUp.removeIf(Initiator::isClosed);
    }
}
