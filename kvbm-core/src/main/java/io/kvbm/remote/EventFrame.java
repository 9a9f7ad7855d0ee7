package io.kvbm.remote;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;

import io.kvbm.error.RemoteException;
import io.kvbm.event.KvEvent;
import io.kvbm.storage.CacheLevel;

/**
 * One page of what a worker tells about its blocks: what has happened since, or what it holds. Numbers of workers and
 * epochs are unsigned. A page that is larger than its limits, or does not make sense, is refused with a
 * {@link RemoteException}.
 *
 * <p>
 * What a worker holds goes out in parts, a stretch of slots each, and the pools go on meanwhile: every slot is shown as
 * it is at some moment after the events before {@link #sequence()}. Whoever stores all parts and then makes all changes
 * from the number of the first part on, in their order, has what the worker holds, since an event says what a slot
 * holds from then on, whatever it held before.
 */
public sealed interface EventFrame {

    /** The number of events in one page at most. */
    int MAX_EVENTS = 1 << 14;

    /** The number of blocks that the events of one page name at most. */
    int MAX_EVENT_BLOCKS = 1 << 16;

    /** The number of slots that one part covers at most. */
    int MAX_PART_SLOTS = 1 << 17;

    /** The worker that tells. */
    long workerId();

    /** The start of the worker since which its events are numbered. */
    long epoch();

    /** The number of the first event of this page, or of the first one that what is held does not reflect. */
    long sequence();

    /** What to ask for in place of the number of an event, so that the part from this slot on is answered. */
    static long held(long slot) {
        return -1 - slot;
    }

    /**
     * What has happened, without holes.
     *
     * @param events the events, in order; empty where there is nothing new
     */
    record Events(long workerId, long epoch, long sequence, List<KvEvent> events) implements EventFrame {

        /** Copies the list and refuses what no pool can have told. */
        public Events {
            if (events.size() > MAX_EVENTS) {
                throw Refusal.tooMuch("The number of events of a page", events.size(), MAX_EVENTS);
            }
            events = List.copyOf(events);
            long blocks = 0;
            for (KvEvent event : events) {
                blocks += event.size();
                require(event);
            }
            if (blocks > MAX_EVENT_BLOCKS) {
                throw Refusal.tooMuch("The number of blocks in the events of a page", blocks, MAX_EVENT_BLOCKS);
            }
            if (sequence < 0 || sequence > Long.MAX_VALUE - MAX_EVENTS) {
                throw Refusal.malformed("The first event of a page has the number " + sequence);
            }
        }

        /** The number of the event behind the last one of this page. */
        public long next() {
            return sequence + events.size();
        }

        private static void require(KvEvent event) {
            switch (event) {
                case KvEvent.Stored stored -> {
                    if (stored.blockSize() < 1) {
                        throw Refusal.malformed("An event names blocks of " + stored.blockSize() + " tokens");
                    }
                    stored.blocks().forEach(block -> require(block.slot(), block.position(), block.generation()));
                }
                case KvEvent.Removed removed -> removed.blocks().forEach(block -> require(block.slot(), 0, 0));
                case KvEvent.Cleared _ -> {
                }
            }
        }

        private static void require(int slot, int position, long generation) {
            if (slot < 0 || position < KvEvent.StoredBlock.UNKNOWN_POSITION || generation < 0) {
                throw Refusal.malformed("An event names slot " + slot + " of generation " + generation
                        + " with block " + position + " of a sequence");
            }
        }
    }

    /**
     * One part of what is held. The slots of all levels of a worker are counted through.
     *
     * @param from the first slot of this part
     * @param to the slot behind this part
     * @param last whether nothing lies behind this part
     * @param levels the blocks of this part by level; one without blocks may be left out
     */
    record Held(long workerId, long epoch, long sequence, long from, long to, boolean last, List<HeldBlocks> levels)
            implements
                EventFrame {

        /** Copies the list and refuses what contradicts itself. */
        public Held {
            levels = List.copyOf(levels);
            if (sequence < 0 || sequence > Long.MAX_VALUE - MAX_EVENTS) {
                throw Refusal.malformed("What is held is as of event " + sequence);
            }
            if (from < 0 || to < from || (to == from && !last)) {
                throw Refusal.malformed("A part of what is held covers the slots " + from + " to " + to);
            }
            if (to - from > MAX_PART_SLOTS) {
                throw Refusal.tooMuch("The number of slots of a part", to - from, MAX_PART_SLOTS);
            }
            long blocks = 0;
            Set<CacheLevel> seen = EnumSet.noneOf(CacheLevel.class);
            for (HeldBlocks level : levels) {
                blocks += level.size();
                if (!seen.add(level.level())) {
                    throw Refusal.malformed("A part of what is held lists " + level.level() + " twice");
                }
            }
            if (blocks > to - from) {
                throw Refusal
                        .malformed("A part of what is held lists " + blocks + " blocks in " + (to - from) + " slots");
            }
        }
    }
}
