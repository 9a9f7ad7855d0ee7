package io.kvbm.remote;

import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.RemoteException;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.storage.CacheLevel;

/**
 * Keeps a {@link PeerIndex} up to date with what one worker holds since one start: it says what to ask the worker next,
 * and takes the answers. It has no thread and waits for nothing; answers that are lost, late, doubled or in another order
 * cost time and nothing else.
 *
 * <pre>
 *   COLLECTING --last part--> FOLLOWING
 *       ^                         |
 *       +------- events lost -----+      a later start of the worker, or close, from both --> ENDED
 * </pre>
 *
 * Collecting begins with an empty index and stores what the worker holds part by part. Following makes the changes from
 * the number of the first part on, each once and in order. Some of them a part may have reflected already; made again
 * they leave each slot with what it held last, so that the index is exact as soon as the feed has caught up. Safe for
 * use by several threads.
 */
public final class PeerFeed implements AutoCloseable {

    /** What an answer of the worker came to. */
    public enum Outcome {
        /** The index knows more, or there is nothing new. */
        TAKEN,

        /** The answer is not, or no longer, of use. */
        IGNORED,

        /** Events are lost, so what was known of the worker is dropped and has to be collected anew. */
        GAP,

        /** The worker was started anew, so what was known of it is dropped; import its blockset and open a new feed. */
        RESTARTED
    }

    private enum State {
        COLLECTING, FOLLOWING, ENDED
    }

    private static final int BATCH = 1024;

    private final PeerIndex index;
    private final IndexedPeer peer;
    private final SlotChanges changes = new SlotChanges();
    private @Nullable HeldSlots changed;

    private State state = State.COLLECTING;
    private long sequence;
    private long slot;

    /**
     * Takes a worker into the index, of which nothing is known to be held yet.
     *
     * @throws RemoteException {@code STALE_EPOCH} where the worker is there with this start or a later one, {@code LIMIT}
     *         where there is no room for its block sets
     */
    public PeerFeed(PeerIndex index, long workerId, long epoch, List<IndexedLevel> levels) {
        this.index = index;
        this.peer = index.open(workerId, epoch, levels);
    }

    /** A feed of the block sets that a worker exports and others can read: those in host memory. */
    public static PeerFeed of(PeerIndex index, Blockset blockset) {
        return new PeerFeed(index, blockset.workerId(), blockset.epoch(),
                blockset.levels()
                        .stream()
                        .filter(level -> ExportedLevel.isHost(level.storageType()))
                        .map(IndexedLevel::of)
                        .toList());
    }

    // ---------------------------------------------------------------------------------------------- ask

    /**
     * What to ask the worker next. It stays the same until an answer was taken.
     *
     * @param asker the worker that asks
     * @throws RemoteException {@code STALE_EPOCH} where the feed has ended
     */
    public synchronized PeerRequest.Events next(long asker) {
        return switch (state) {
            case COLLECTING -> new PeerRequest.Events(asker, peer.epoch, EventFrame.held(slot));
            case FOLLOWING -> new PeerRequest.Events(asker, peer.epoch, sequence);
            case ENDED -> throw new RemoteException(RemoteException.Kind.STALE_EPOCH,
                    "The feed of " + this + " has ended; import the worker's blockset and open a new one");
        };
    }

    /** Whether it follows this start of the worker, and has not ended. */
    synchronized boolean isOf(long epoch) {
        return state != State.ENDED && peer.epoch == epoch;
    }

    /** Whether all that the worker holds was collected, so that only events may be missing. */
    public synchronized boolean isFollowing() {
        return state == State.FOLLOWING;
    }

    /** Whether lookups propose the worker; what it holds is followed all the same. */
    public void propose(boolean value) {
        index.propose(peer, value);
    }

    IndexedPeer peer() {
        return peer;
    }

    /** Drops what is known of the worker. */
    @Override
    public synchronized void close() {
        state = State.ENDED;
        index.close(peer);
    }

    // ---------------------------------------------------------------------------------------------- take

    /**
     * Takes an answer.
     *
     * @throws RemoteException {@code MALFORMED} where it is another worker's or names slots that this one does not have;
     *         nothing has changed then
     */
    public synchronized Outcome take(EventFrame frame) {
        if (frame.workerId() != peer.workerId) {
            throw Refusal.malformed("A page of events of worker " + Long.toUnsignedString(frame.workerId())
                    + " came as an answer of " + this);
        }
        int age = Long.compareUnsigned(frame.epoch(), peer.epoch);
        if (state == State.ENDED || age < 0) {
            return Outcome.IGNORED;
        }
        if (age > 0) {
            close();
            return Outcome.RESTARTED;
        }
        return switch (frame) {
            case EventFrame.Events told -> follow(told);
            case EventFrame.Held part -> collect(part);
        };
    }

    private Outcome follow(EventFrame.Events told) {
        if (state != State.FOLLOWING || told.next() < sequence) {
            return Outcome.IGNORED;
        }
        if (told.sequence() > sequence) {
            restart();
            return Outcome.GAP;
        }
        List<KvEvent> news = told.events().subList((int) (sequence - told.sequence()), told.events().size());
        news.forEach(this::requireInside);
        news.forEach(this::make);
        changesOf(null);
        sequence = told.next();
        return Outcome.TAKEN;
    }

    /**
     * A first part is what the worker answers where the events that were asked for are gone, so it counts at all times
     * but while later parts are collected.
     */
    private Outcome collect(EventFrame.Held part) {
        boolean first = part.from() == 0;
        boolean gap = first && state == State.FOLLOWING;
        if (!gap && (state != State.COLLECTING || part.from() != slot)) {
            return Outcome.IGNORED;
        }
        part.levels().forEach(this::requireInside);
        if (!first && part.sequence() < sequence) {
            restart();
            return Outcome.GAP;
        }
        if (first) {
            restart();
            sequence = part.sequence();
        }
        part.levels().forEach(this::store);
        changesOf(null);
        slot = part.to();
        if (part.last()) {
            state = State.FOLLOWING;
        }
        return gap ? Outcome.GAP : Outcome.TAKEN;
    }

    private void restart() {
        peer.levels().forEach(set -> index.clear(peer, set));
        state = State.COLLECTING;
        slot = 0;
    }

    // ---------------------------------------------------------------------------------------------- change

    /** Has the next changes be those of one block set; the earlier ones of another are made first. */
    private void changesOf(@Nullable HeldSlots set) {
        HeldSlots before = changed;
        if (before != null && (before != set || changes.size() >= BATCH)) {
            index.apply(peer, before, changes);
            changes.clear();
        }
        changed = set;
    }

    private void make(KvEvent event) {
        HeldSlots set = peer.level(event.level());
        if (set == null) {
            return;
        }
        switch (event) {
            case KvEvent.Stored stored -> {
                for (StoredBlock block : stored.blocks()) {
                    changesOf(set);
                    changes.stored(block.slot(), block.generation(), block.identity());
                }
            }
            case KvEvent.Removed removed -> {
                for (RemovedBlock block : removed.blocks()) {
                    changesOf(set);
                    changes.removed(block.slot());
                }
            }
            case KvEvent.Cleared _ -> {
                changesOf(null);
                index.clear(peer, set);
            }
        }
    }

    private void store(HeldBlocks blocks) {
        HeldSlots set = peer.level(blocks.level());
        for (int i = 0; set != null && i < blocks.size(); i++) {
            changesOf(set);
            changes.stored(blocks.slot(i), blocks.generation(i), blocks.identity(i));
        }
    }

    private void requireInside(KvEvent event) {
        switch (event) {
            case KvEvent.Stored stored -> stored.blocks().forEach(block -> requireInside(event.level(), block.slot()));
            case KvEvent.Removed removed -> removed.blocks()
                    .forEach(block -> requireInside(event.level(), block.slot()));
            case KvEvent.Cleared _ -> {
            }
        }
    }

    /** The last slot is the largest one. */
    private void requireInside(HeldBlocks blocks) {
        if (blocks.size() > 0) {
            requireInside(blocks.level(), blocks.slot(blocks.size() - 1));
        }
    }

    private void requireInside(CacheLevel level, int named) {
        HeldSlots set = peer.level(level);
        if (set != null && named >= set.slots()) {
            throw Refusal.malformed("Slot " + named + " of " + level + " is named by " + this
                    + ", which has exported " + set.slots() + " there; import its blockset again");
        }
    }

    @Override
    public String toString() {
        return "worker " + Long.toUnsignedString(peer.workerId) + " of epoch " + Long.toUnsignedString(peer.epoch);
    }
}
