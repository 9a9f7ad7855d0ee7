package io.kvbm.event;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;

/**
 * The events of a worker that its listeners have not taken yet, numbered from 0, in a ring of fixed size. Publishing
 * never waits: where the ring is full or names too many blocks it drops the oldest event. A listener that is slower than
 * the ring is told of the gap, one that fails goes on with the next events, and neither reaches the pool that publishes.
 *
 * <pre>
 *   pools --publish--> [ ring ] --own thread--> listener A   (cursor)
 *                               --own thread--> listener B   (cursor)
 * </pre>
 *
 * <p>
 * A thread that found nothing sleeps until it is signalled; one that has just delivered naps first unless a full batch
 * waits, so that a busy pool pays neither for a wake-up per event nor for a lock that is always taken.
 */
public final class EventLog implements EventSink, AutoCloseable {

    /** The number of events the ring holds unless said otherwise. */
    public static final int DEFAULT_CAPACITY = 1 << 16;

    /** The number of blocks that the events in the ring name at most, which bounds its memory. */
    public static final int MAX_BLOCKS = 1 << 18;

    /** The number of listeners one log feeds at most. */
    public static final int MAX_LISTENERS = 64;

    private static final int MAX_BATCH = 1024;
    private static final long NAP_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private static final Logger log = LoggerFactory.getLogger(EventLog.class);

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition published = lock.newCondition();
    private final Condition delivered = lock.newCondition();
    private final List<Subscription> subscriptions = new ArrayList<>();

    private final EventDelivery delivery;
    private final @Nullable KvEvent[] ring;
    private long oldest;
    private long next;
    private long blocks;
    private int sleepers;
    private volatile boolean wanted;
    private boolean closed;

    /** A log that holds {@link #DEFAULT_CAPACITY} events. */
    public EventLog() {
        this(DEFAULT_CAPACITY);
    }

    /**
     * A log that holds this many events.
     *
     * @param capacity a power of two
     */
    public EventLog(int capacity) {
        this(capacity, EventDelivery.THREADS);
    }

    /**
     * A log that holds this many events.
     *
     * @param capacity a power of two
     * @param delivery who feeds the listeners
     */
    public EventLog(int capacity, EventDelivery delivery) {
        if (capacity < 1 || Integer.bitCount(capacity) != 1) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "The event log holds " + capacity + " events; give a power of two");
        }
        this.delivery = delivery;
        this.ring = new KvEvent[capacity];
    }

    @Override
    public void publish(KvEvent event) {
        lock.lock();
        try {
            if (next - oldest == ring.length) {
                dropOldest();
            }
            ring[index(next)] = event;
            next++;
            blocks += event.size();
            while (blocks > MAX_BLOCKS && oldest < next - 1) {
                dropOldest();
            }
            if (sleepers > 0) {
                published.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean wanted() {
        return wanted;
    }

    /**
     * Feeds a listener with everything that is published from now on.
     *
     * @throws ClosedException after the log was closed
     */
    public Subscription subscribe(String name, EventListener listener) {
        lock.lock();
        try {
            if (closed) {
                throw new ClosedException("The event log is closed; listener " + name + " cannot subscribe");
            }
            if (subscriptions.size() == MAX_LISTENERS) {
                throw new ConfigException(ConfigException.Kind.INVALID, "Listener " + name + " is one more than the "
                        + MAX_LISTENERS + " an event log feeds; close a subscription first");
            }
            Subscription subscription = new Subscription(name, listener, next);
            subscriptions.add(subscription);
            wanted = true;
            if (delivery == EventDelivery.THREADS) {
                Thread.ofVirtual().name("kvbm-events-" + name).start(() -> subscription.deliverAll(true));
            }
            return subscription;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Feeds every listener in the calling thread with what it has not taken yet, where events are delivered by hand. One
     * thread at a time.
     */
    public void deliver() {
        if (delivery != EventDelivery.BY_HAND) {
            throw new IllegalStateException("The events of this log are delivered by " + delivery);
        }
        List<Subscription> listening;
        lock.lock();
        try {
            listening = List.copyOf(subscriptions);
        } finally {
            lock.unlock();
        }
        listening.forEach(subscription -> subscription.deliverAll(false));
    }

    /** The sequence number the next event will have. */
    public long nextSequence() {
        lock.lock();
        try {
            return next;
        } finally {
            lock.unlock();
        }
    }

    /** The number of events the ring holds. */
    public int capacity() {
        return ring.length;
    }

    /** Delivers what is still in the ring and ends all subscriptions; waits for no listener. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            wanted = false;
            published.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void dropOldest() {
        int at = index(oldest);
        blocks -= Objects.requireNonNull(ring[at]).size();
        ring[at] = null;
        oldest++;
    }

    /** Drops what every listener has taken. */
    private void dropTaken() {
        long taken = next;
        for (Subscription subscription : subscriptions) {
            taken = Math.min(taken, subscription.cursor);
        }
        while (oldest < taken) {
            dropOldest();
        }
    }

    private int index(long sequence) {
        return (int) (sequence & (ring.length - 1));
    }

    /** One listener's place in the log. */
    public final class Subscription implements AutoCloseable {

        private final String name;
        private final EventListener listener;

        private long cursor;
        private boolean ended;
        private boolean fresh;
        private final LongAdder failures = new LongAdder();
        private final LongAdder missed = new LongAdder();

        private Subscription(String name, EventListener listener, long cursor) {
            this.name = name;
            this.listener = listener;
            this.cursor = cursor;
        }

        /** The number of calls in which the listener threw. */
        public long failures() {
            return failures.sum();
        }

        /** The number of events that were overwritten before the listener took them. */
        public long missed() {
            return missed.sum();
        }

        /**
         * Waits until the listener has taken everything published before this call.
         *
         * @return false where the time ran out first
         */
        public boolean awaitDelivered(Duration timeout) throws InterruptedException {
            long nanos = TimeUnit.NANOSECONDS.convert(timeout);
            lock.lock();
            try {
                long target = next;
                while (cursor < target && !ended) {
                    if (nanos <= 0) {
                        return false;
                    }
                    nanos = delivered.awaitNanos(nanos);
                }
                return cursor >= target;
            } finally {
                lock.unlock();
            }
        }

        /** Ends the subscription; a call that is under way ends by itself. */
        @Override
        public void close() {
            lock.lock();
            try {
                end();
                published.signalAll();
            } finally {
                lock.unlock();
            }
        }

        private void end() {
            ended = true;
            subscriptions.remove(this);
            dropTaken();
            wanted = !closed && !subscriptions.isEmpty();
            delivered.signalAll();
        }

        private void deliverAll(boolean wait) {
            while (deliverSome(wait)) {
                // the next batch
            }
        }

        /** Delivers one batch; returns false where there is none, now or, for who waits, ever again. */
        private boolean deliverSome(boolean wait) {
            long first;
            long expected;
            List<KvEvent> batch;
            lock.lock();
            try {
                if (wait ? !awaitEvents() : !hasEvents()) {
                    return false;
                }
                expected = cursor;
                first = Math.max(cursor, oldest);
                batch = copy(first, (int) Math.min(next - first, MAX_BATCH));
            } finally {
                lock.unlock();
            }
            deliver(expected, first, batch);
            lock.lock();
            try {
                cursor = first + batch.size();
                dropTaken();
                delivered.signalAll();
            } finally {
                lock.unlock();
            }
            return true;
        }

        private boolean hasEvents() {
            if (cursor == next && closed && !ended) {
                end();
            }
            return cursor < next && !ended;
        }

        private boolean awaitEvents() {
            if (fresh && next - cursor < MAX_BATCH && !ended && !closed) {
                fresh = false;
                nap();
            }
            while (cursor == next && !ended && !closed) {
                sleepers++;
                try {
                    published.awaitUninterruptibly();
                } finally {
                    sleepers--;
                }
            }
            if (ended || cursor == next) {
                end();
                return false;
            }
            fresh = true;
            return true;
        }

        @SuppressWarnings("WaitNotInLoop") // a pause, not a wait for a state: the caller looks at the state next
        private void nap() {
            try {
                var _ = published.awaitNanos(NAP_NANOS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private List<KvEvent> copy(long first, int size) {
            KvEvent[] events = new KvEvent[size];
            for (int i = 0; i < size; i++) {
                events[i] = Objects.requireNonNull(ring[index(first + i)]);
            }
            return Arrays.asList(events);
        }

        private void deliver(long expected, long first, List<KvEvent> batch) {
            if (first > expected) {
                missed.add(first - expected);
                call(expected, first, () -> listener.onGap(expected, first));
            }
            call(first, first + batch.size(), () -> listener.onEvents(first, batch));
        }

        /** Whatever a listener throws, errors too, must not end the thread that feeds it. */
        private void call(long from, long to, Runnable delivery) {
            try {
                delivery.run();
            } catch (Throwable e) {
                failures.increment();
                log.warn("Listener {} failed at events {} to {}; it goes on with the next ones", name, from, to - 1,
                        e);
            }
        }
    }
}
