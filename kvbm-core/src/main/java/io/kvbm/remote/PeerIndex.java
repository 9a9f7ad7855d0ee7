package io.kvbm.remote;

import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.StampedLock;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.ConfigException;
import io.kvbm.error.RemoteException;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.IdentityChain;

/**
 * Which blocks other workers are believed to hold, and in which slots. It knows the first word of an identity only and
 * what it knows may be out of date, so it only proposes: whoever reads a block has its owner's side table confirm
 * identity and generation.
 *
 * <pre>
 *   identity --> holders (one bit each)         one table for all, 1 memory access per block
 *   identity --> slot, generation               one table per holder, 2 memory accesses per block
 * </pre>
 *
 * A lookup goes through the first table as long as several holders are left that have all blocks so far, and then
 * through the table of one of them: its cost depends neither on the number of peers nor on how many hold a block.
 * Nothing is allocated by it.
 *
 * <h2>Threads</h2>
 *
 * Lookups are many and take microseconds; changes come in frames from a few feeds. Lookups therefore read optimistically
 * ({@link StampedLock}): they write nothing that other threads see, so they do not slow each other down, and one that a
 * change ran into starts again, at the third time with the lock held, which bounds it. Changes are made by one thread at
 * a time, {@value #CHUNK} slots per hold of the lock, so that nobody waits for more than that. What takes longer is done
 * beside the lock: a table of another size is filled while lookups use the old one, and a holder that leaves is not
 * proposed any more from its first step on, while its entries go piece by piece and its bit is given to nobody else
 * before the last one has gone.
 *
 * <h2>Bounds</h2>
 *
 * The slots of all holders and the number of holders are limited, and a block set that would go beyond is refused. An
 * index of n slots takes 27 to 38 bytes per slot for the holders' tables, and 21 to 43 for the common one with up to 64
 * holders; all of it is allocated when a peer is taken in, and given back when it leaves.
 */
public final class PeerIndex {

    /** The number of block sets an index has at most. */
    public static final int MAX_HOLDERS = 1024;

    /** The number of slots of all block sets at most. */
    public static final int MAX_SLOTS = 1 << 26;

    private static final int CHUNK = 64;
    private static final int OPTIMISTIC_ATTEMPTS = 2;

    private final ReentrantLock writers = new ReentrantLock();
    private final StampedLock lock = new StampedLock();
    private final int maxSlots;
    private final int words;
    private final long salt;

    private final Map<Long, IndexedPeer> peers = new HashMap<>();
    private final @Nullable HeldSlots[] held;
    private final long[] proposed;
    private HolderTable holders;
    private int slots;

    /**
     * An empty index.
     *
     * @param maxHolders block sets at most, of all workers
     * @param maxSlots blocks at most that these have in all
     * @param seed any number that others do not know; it keeps others from choosing tokens that all fall into one place,
     *        and makes different workers choose different ones of equal holders
     */
    public PeerIndex(int maxHolders, int maxSlots, long seed) {
        requireWithin("maxHolders", maxHolders, MAX_HOLDERS);
        requireWithin("maxSlots", maxSlots, MAX_SLOTS);
        this.maxSlots = maxSlots;
        this.words = Math.ceilDiv(maxHolders, Long.SIZE);
        if ((1L + words) * HolderTable.capacity(maxSlots) > Integer.MAX_VALUE - 8) {
            throw new ConfigException(ConfigException.Kind.INVALID, "An index of " + maxSlots + " slots of "
                    + maxHolders + " holders is larger than an array can be; lower one of them");
        }
        this.salt = seed | 1;
        this.held = new HeldSlots[maxHolders];
        this.proposed = new long[words];
        this.holders = new HolderTable(0, words, salt);
    }

    private static void requireWithin(String name, int value, int limit) {
        if (value < 1 || value > limit) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    name + " of the peer index is " + value + "; give 1 to " + limit);
        }
    }

    // ---------------------------------------------------------------------------------------------- look up

    /**
     * Finds the longest run of a sequence's blocks {@code from}, {@code from + 1}, … below {@code to} that one holder is
     * believed to have. Of several that have it, one is chosen, by the identity of the first block and the seed.
     *
     * @param run takes the answer; on return it is empty where nobody has the first block
     * @return the length of the run
     */
    public int prefix(IdentityChain chain, int from, int to, PeerRun run) {
        if (from < 0 || from > to || to > chain.size()) {
            throw new IllegalArgumentException(
                    "Blocks " + from + " to " + to + " are asked for of a chain of " + chain.size());
        }
        for (int attempt = 0; attempt < OPTIMISTIC_ATTEMPTS; attempt++) {
            long stamp = lock.tryOptimisticRead();
            if (stamp != 0) {
                scan(chain, from, to, run);
                if (lock.validate(stamp)) {
                    return run.length();
                }
            }
        }
        long stamp = lock.readLock();
        try {
            scan(chain, from, to, run);
            return run.length();
        } finally {
            lock.unlockRead(stamp);
        }
    }

    private void scan(IdentityChain chain, int from, int to, PeerRun run) {
        run.clear(words);
        System.arraycopy(proposed, 0, run.left, 0, words);
        HolderTable table = holders;
        int known = from;
        while (known < to) {
            int set = table.find(chain.probe(known));
            if (set == HolderTable.NONE || !narrow(table, set, run)) {
                break;
            }
            known++;
            if (isAlone(run.left)) {
                break;
            }
        }
        if (known == from) {
            return;
        }
        boolean alone = isAlone(run.left);
        HeldSlots chosen = held[choose(run.left, chain.probe(from))];
        if (chosen == null) {
            return; // only where a change is under way
        }
        run.start(chosen.holder);
        int end = alone ? to : known;
        for (int i = from; i < end; i++) {
            int slot = chosen.find(chain.probe(i));
            if (slot == HeldSlots.NONE) {
                break;
            }
            run.add(slot, chosen.generation(slot));
        }
    }

    /** Keeps those that have this block too; false, and nothing changed, where that is nobody. */
    private boolean narrow(HolderTable table, int set, PeerRun run) {
        long any = 0;
        for (int w = 0; w < words; w++) {
            long next = run.left[w] & table.word(set, w);
            run.next[w] = next;
            any |= next;
        }
        if (any == 0) {
            return false;
        }
        long[] left = run.next;
        run.next = run.left;
        run.left = left;
        return true;
    }

    private boolean isAlone(long[] set) {
        long seen = 0;
        for (int w = 0; w < words; w++) {
            long word = set[w];
            if (word != 0 && (seen != 0 || (word & (word - 1)) != 0)) {
                return false;
            }
            seen |= word;
        }
        return true;
    }

    /** One of a set, which depends on the identity; -1 where the set is empty. */
    private int choose(long[] set, long identity) {
        int size = 0;
        for (int w = 0; w < words; w++) {
            size += Long.bitCount(set[w]);
        }
        if (size == 0) {
            return -1;
        }
        int rank = (int) (((identity * salt) >>> 32) % size);
        int word = 0;
        while (rank >= Long.bitCount(set[word])) {
            rank -= Long.bitCount(set[word]);
            word++;
        }
        return word * Long.SIZE + Long.numberOfTrailingZeros(Long.expand(1L << rank, set[word]));
    }

    // ---------------------------------------------------------------------------------------------- peers

    /**
     * Takes a worker in, of which nothing is known to be held yet. What an earlier start of it held is dropped.
     *
     * @throws RemoteException {@code STALE_EPOCH} where the worker is there with this epoch or a later one, {@code LIMIT}
     *         where there is no room for its block sets
     */
    IndexedPeer open(long workerId, long epoch, List<IndexedLevel> levels) {
        writers.lock();
        try {
            IndexedPeer earlier = peers.get(workerId);
            if (earlier != null) {
                if (Long.compareUnsigned(earlier.epoch, epoch) >= 0) {
                    throw new RemoteException(RemoteException.Kind.STALE_EPOCH,
                            "Worker " + Long.toUnsignedString(workerId) + " is indexed since its start at "
                                    + Long.toUnsignedString(earlier.epoch) + " and was now to be taken in with "
                                    + Long.toUnsignedString(epoch) + "; close the one that is there first");
                }
                close(earlier);
            }
            requireRoom(workerId, levels);
            Map<CacheLevel, HeldSlots> sets = new EnumMap<>(CacheLevel.class);
            int number = 0;
            for (IndexedLevel level : levels) {
                number = free(number);
                HeldSlots set = new HeldSlots(number, new Holder(workerId, epoch, level.level(), level.blockSet()),
                        level.slots(), salt);
                if (sets.put(level.level(), set) != null) {
                    throw Refusal.malformed("Worker " + Long.toUnsignedString(workerId) + " has two block sets of "
                            + level.level() + ", which its events do not tell apart");
                }
                number++;
            }
            resize(slots + levels.stream().mapToInt(IndexedLevel::slots).sum());
            IndexedPeer peer = new IndexedPeer(workerId, epoch, sets);
            peers.put(workerId, peer);
            exclusively(() -> {
                sets.values().forEach(set -> held[set.number] = set);
                setProposed(peer, true);
            });
            return peer;
        } finally {
            writers.unlock();
        }
    }

    private void requireRoom(long workerId, List<IndexedLevel> levels) {
        long sum = slots;
        for (IndexedLevel level : levels) {
            sum += level.slots();
        }
        if (sum > maxSlots) {
            throw new RemoteException(RemoteException.Kind.LIMIT, "With worker " + Long.toUnsignedString(workerId)
                    + " the index would have " + sum + " slots, over the limit of " + maxSlots
                    + "; raise the limit or have fewer peers");
        }
        int free = 0;
        for (HeldSlots set : held) {
            free += set == null ? 1 : 0;
        }
        if (levels.size() > free) {
            throw new RemoteException(RemoteException.Kind.LIMIT, "Worker " + Long.toUnsignedString(workerId) + " has "
                    + levels.size() + " block sets and the index has room for " + free + " of " + held.length
                    + "; raise the limit or have fewer peers");
        }
    }

    private int free(int from) {
        int number = from;
        while (held[number] != null) {
            number++;
        }
        return number;
    }

    /** Has the common table room for so many slots, and not for many times as many. */
    private void resize(int wanted) {
        if (holders.capacity() != HolderTable.capacity(wanted)) {
            HolderTable resized = holders.resized(wanted);
            exclusively(() -> holders = resized);
        }
        slots = wanted;
    }

    /** Whether lookups propose a worker; what it holds is followed all the same. */
    void propose(IndexedPeer peer, boolean value) {
        whileOpen(peer, () -> setProposed(peer, value));
    }

    private void setProposed(IndexedPeer peer, boolean value) {
        for (HeldSlots set : peer.levels()) {
            long bit = 1L << set.number;
            proposed[set.number >> 6] = value ? proposed[set.number >> 6] | bit : proposed[set.number >> 6] & ~bit;
        }
    }

    /** Drops a worker; nothing of it is proposed from now on. Further calls do nothing. */
    void close(IndexedPeer peer) {
        boolean first = whileOpen(peer, () -> {
            setProposed(peer, false);
            peers.remove(peer.workerId);
        });
        if (!first) {
            return;
        }
        for (HeldSlots set : peer.levels()) {
            for (int slot = 0; slot < set.slots(); slot += CHUNK) {
                int from = slot;
                locked(() -> empty(set, from));
            }
        }
        writers.lock();
        try {
            int left = slots;
            for (HeldSlots set : peer.levels()) {
                left -= set.slots();
                held[set.number] = null;
            }
            resize(left);
        } finally {
            writers.unlock();
        }
    }

    // ---------------------------------------------------------------------------------------------- change

    /** Makes these changes, in order; nothing where the peer was closed before. The slots have to be there. */
    void apply(IndexedPeer peer, HeldSlots set, SlotChanges changes) {
        for (int at = 0; at < changes.size(); at += CHUNK) {
            int from = at;
            int to = Math.min(from + CHUNK, changes.size());
            boolean open = whileOpen(peer, () -> {
                for (int i = from; i < to; i++) {
                    change(set, changes.slot(i), changes.generation(i), changes.identity(i));
                }
            });
            if (!open) {
                return;
            }
        }
    }

    private void change(HeldSlots set, int slot, long generation, long identity) {
        boolean stored = generation != SlotChanges.EMPTY;
        if (set.isHeld(slot)) {
            if (stored && set.identity(slot) == identity) {
                set.generation(slot, generation);
                return;
            }
            drop(set, slot);
        }
        if (stored) {
            set.add(slot, generation, identity);
            holders.add(identity, set.number);
        }
    }

    /** Empties the slots of a block set; nothing where the peer was closed before. */
    void clear(IndexedPeer peer, HeldSlots set) {
        for (int slot = 0; slot < set.slots(); slot += CHUNK) {
            int from = slot;
            if (!whileOpen(peer, () -> empty(set, from))) {
                return;
            }
        }
    }

    private void empty(HeldSlots set, int from) {
        int to = Math.min(from + CHUNK, set.slots());
        for (int slot = from; slot < to; slot++) {
            if (set.isHeld(slot)) {
                drop(set, slot);
            }
        }
    }

    /** A holder may have two slots of one first word, and holds it until both are empty. */
    private void drop(HeldSlots set, int slot) {
        long identity = set.identity(slot);
        set.remove(slot);
        if (set.find(identity) == HeldSlots.NONE) {
            holders.remove(identity, set.number);
        }
    }

    /** Makes a short change, unless the peer was closed before; then false. */
    private boolean whileOpen(IndexedPeer peer, Runnable change) {
        writers.lock();
        try {
            boolean open = peers.get(peer.workerId) == peer;
            if (open) {
                exclusively(change);
            }
            return open;
        } finally {
            writers.unlock();
        }
    }

    private void locked(Runnable change) {
        writers.lock();
        try {
            exclusively(change);
        } finally {
            writers.unlock();
        }
    }

    /** Makes a short change that lookups see as a whole; only where {@link #writers} is held. */
    private void exclusively(Runnable change) {
        long stamp = lock.writeLock();
        try {
            change.run();
        } finally {
            lock.unlockWrite(stamp);
        }
    }

    // ---------------------------------------------------------------------------------------------- ask

    /** How large the index is. */
    public PeerIndexStats stats() {
        writers.lock();
        try {
            int sets = 0;
            long blocks = 0;
            long bytes = holders.bytes();
            for (HeldSlots set : held) {
                if (set != null) {
                    sets++;
                    blocks += set.size();
                    bytes += set.bytes();
                }
            }
            return new PeerIndexStats(sets, slots, blocks, holders.size(), bytes);
        } finally {
            writers.unlock();
        }
    }

    /** The number of blocks that a worker is believed to hold; 0 where it is not known. */
    public long blocks(long workerId) {
        writers.lock();
        try {
            long blocks = 0;
            for (HeldSlots set : held) {
                if (set != null && set.holder.workerId() == workerId) {
                    blocks += set.size();
                }
            }
            return blocks;
        } finally {
            writers.unlock();
        }
    }
}
