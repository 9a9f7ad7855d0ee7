package io.kvbm.remote;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.event.EventListener;
import io.kvbm.event.EventLog;
import io.kvbm.event.KvEvent;
import io.kvbm.pool.BlockPool;

/**
 * The recent events of this worker, for other workers to ask for page by page, each as fast as it likes. Where the
 * events that one asks for are not kept any more it is told what the pools hold instead, see {@link EventFrame}. The
 * numbers are those of the worker's {@link EventLog}, to which the journal listens.
 *
 * <h2>Why numbers and content agree</h2>
 *
 * A pool publishes under the lock under which it changes. What is looked up there after the log was asked for the number
 * that it gives next reflects every event before that number. It may reflect some later events too; who is told of them
 * again loses nothing by it, see {@link EventFrame}. The log's number may be ahead of what the journal was given: whoever
 * asks for an event in between is told that there is nothing new yet.
 *
 * <h2>Bounds</h2>
 *
 * As many events as it was made for, of {@value #MAX_BLOCKS} blocks in all, which take about 25 MB then. An event that no
 * page has room for is as good as lost: whoever needs it is told what is held. A pool stands still for
 * {@value #WALK_SLOTS} slots at a time while its content is looked up. Safe for use by several threads.
 */
public final class EventJournal implements AutoCloseable {

    /** The number of events that are kept unless said otherwise. */
    public static final int DEFAULT_CAPACITY = 1 << 16;

    /** The number of blocks that the events that are kept name at most. */
    public static final int MAX_BLOCKS = 1 << 18;

    private static final int WALK_SLOTS = 1 << 12;

    private final long workerId;
    private final long epoch;
    private final List<BlockPool> pools;
    private final EventLog log;
    private final long slots;
    private final int pageEvents;
    private final int partSlots;

    private final ReentrantLock lock = new ReentrantLock();
    private final @Nullable KvEvent[] ring;
    private long oldest;
    private long next;
    private long blocks;

    private EventLog.@Nullable Subscription subscription;

    private EventJournal(long workerId, long epoch, List<BlockPool> pools, EventLog log, int capacity,
            int pageEvents, int partSlots) {
        if (capacity < 1 || Integer.bitCount(capacity) != 1) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "The event journal keeps " + capacity + " events; give a power of two");
        }
        this.workerId = workerId;
        this.epoch = epoch;
        this.pools = List.copyOf(pools);
        this.log = log;
        this.slots = pools.stream().mapToLong(BlockPool::totalBlocks).sum();
        this.pageEvents = pageEvents;
        this.partSlots = partSlots;
        this.ring = new KvEvent[capacity];
        this.oldest = log.nextSequence();
        this.next = oldest;
    }

    /** {@link #open(long, long, List, EventLog, int)} with {@link #DEFAULT_CAPACITY} events. */
    public static EventJournal open(long workerId, long epoch, List<BlockPool> pools, EventLog log) {
        return open(workerId, epoch, pools, log, DEFAULT_CAPACITY);
    }

    /**
     * Starts to keep the events of this worker.
     *
     * @param epoch when the worker was started
     * @param pools whose content others may know, one for each level; all publish to the log
     * @param capacity the number of events to keep, a power of two
     */
    public static EventJournal open(long workerId, long epoch, List<BlockPool> pools, EventLog log, int capacity) {
        return open(workerId, epoch, pools, log, capacity, EventFrame.MAX_EVENTS, EventFrame.MAX_PART_SLOTS);
    }

    /** A journal whose pages are smaller than they may be. */
    static EventJournal open(long workerId, long epoch, List<BlockPool> pools, EventLog log, int capacity,
            int pageEvents, int partSlots) {
        EventJournal journal = new EventJournal(workerId, epoch, pools, log, capacity, pageEvents, partSlots);
        EventLog.Subscription subscription = log.subscribe("journal", journal.new Keeper());
        journal.lock.lock();
        try {
            journal.subscription = subscription;
        } finally {
            journal.lock.unlock();
        }
        return journal;
    }

    // ---------------------------------------------------------------------------------------------- answer

    /**
     * The events of one start of this worker from a number on, as many as a page has room for; none where there are no
     * newer ones. Where these events are not kept any more, never were, or are those of another start, the first part of
     * what the pools hold.
     *
     * @param wantedEpoch the start of the worker whose events are wanted
     * @param from the number of the first event that is wanted, or {@link EventFrame#held} for the part of what is held
     *        that starts at a slot
     * @throws ClosedException where the journal or a pool is closed
     */
    public EventFrame page(long wantedEpoch, long from) {
        var _ = requireOpen();
        if (wantedEpoch != epoch) {
            return held(0);
        }
        if (from < 0) {
            return held(-1 - from);
        }
        EventFrame.Events told = from > log.nextSequence() ? null : told(from);
        return told == null ? held(0) : told;
    }

    private EventFrame.@Nullable Events told(long from) {
        List<KvEvent> events = new ArrayList<>();
        lock.lock();
        try {
            if (from < oldest) {
                return null;
            }
            int named = 0;
            for (long sequence = from; sequence < next && events.size() < pageEvents; sequence++) {
                KvEvent event = Objects.requireNonNull(ring[index(sequence)]);
                named += event.size();
                if (named > EventFrame.MAX_EVENT_BLOCKS) {
                    break;
                }
                events.add(event);
            }
        } finally {
            lock.unlock();
        }
        return new EventFrame.Events(workerId, epoch, from, events);
    }

    /** What the slots from one on hold. */
    private EventFrame.Held held(long from) {
        long start = Math.min(from, slots);
        long end = Math.min(start + partSlots, slots);
        long sequence = log.nextSequence();
        List<HeldBlocks> levels = new ArrayList<>();
        long first = 0;
        for (BlockPool pool : pools) {
            int size = pool.totalBlocks();
            int low = Math.clamp(start - first, 0, size);
            int high = Math.clamp(end - first, 0, size);
            if (low < high) {
                HeldBlocks.Builder level = new HeldBlocks.Builder(pool.blocks().level(), 16);
                for (int slot = low; slot < high; slot += WALK_SLOTS) {
                    pool.walkRegistered(slot, Math.min(slot + WALK_SLOTS, high), level);
                }
                levels.add(level.build());
            }
            first += size;
        }
        return new EventFrame.Held(workerId, epoch, sequence, start, end, end == slots, levels);
    }

    // ---------------------------------------------------------------------------------------------- keep

    /** What the log calls, on a thread of its own. */
    private final class Keeper implements EventListener {

        @Override
        public void onEvents(long firstSequence, List<KvEvent> events) {
            lock.lock();
            try {
                if (firstSequence != next) {
                    restart(firstSequence);
                }
                events.forEach(EventJournal.this::keep);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void onGap(long expected, long following) {
            lock.lock();
            try {
                restart(following);
            } finally {
                lock.unlock();
            }
        }
    }

    private void keep(KvEvent event) {
        if (event.size() > EventFrame.MAX_EVENT_BLOCKS) {
            restart(next + 1);
            return;
        }
        if (next - oldest == ring.length) {
            dropOldest();
        }
        ring[index(next)] = event;
        next++;
        blocks += event.size();
        while (blocks > MAX_BLOCKS) {
            dropOldest();
        }
    }

    private void restart(long from) {
        while (oldest < next) {
            dropOldest();
        }
        oldest = from;
        next = from;
    }

    private void dropOldest() {
        int at = index(oldest);
        blocks -= Objects.requireNonNull(ring[at]).size();
        ring[at] = null;
        oldest++;
    }

    private int index(long sequence) {
        return (int) (sequence & (ring.length - 1));
    }

    // ---------------------------------------------------------------------------------------------- close

    private EventLog.Subscription requireOpen() {
        lock.lock();
        try {
            EventLog.Subscription open = subscription;
            if (open == null) {
                throw new ClosedException("The event journal of worker " + Long.toUnsignedString(workerId)
                        + " is closed; ask the worker again when it is back");
            }
            return open;
        } finally {
            lock.unlock();
        }
    }

    /** Waits until the journal was given what was published before this call; false where the time ran out first. */
    boolean awaitKept(Duration timeout) throws InterruptedException {
        return requireOpen().awaitDelivered(timeout);
    }

    /** Keeps and answers nothing any more. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (subscription != null) {
                subscription.close();
                subscription = null;
                restart(next);
            }
        } finally {
            lock.unlock();
        }
    }
}
