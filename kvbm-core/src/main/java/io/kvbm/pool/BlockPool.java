package io.kvbm.pool;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.IdentityException;
import io.kvbm.error.PoolException;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.TokenBlock;

/**
 * The blocks of one level and who owns them: blocks are allocated, filled, registered under their identity, found again
 * by it, and reused when nobody holds them and room is needed.
 *
 * <p>
 * All bookkeeping is done by the calling thread under one lock, so a block that is closed is available to the very next
 * call, and a call returns when its effect has taken place. Events leave in the order of what happened, before the call
 * returns. Virtual threads may call everything.
 *
 * <p>
 * A closed pool answers with {@link ClosedException}; handles that are still open stay readable, and the memory goes
 * with the last of them.
 */
public final class BlockPool extends PoolHandles {

    /** The number of blocks a pool has at most. */
    public static final int MAX_BLOCKS = 1 << 28;

    /** Slots between which whoever waits for the lock may go on. */
    private static final int CLEARED_AT_ONCE = 4096;

    private final IdentityKind identity;
    private final PoolEvents events;
    private final BlockList<ImmutableBlock> noBlocks = immutable(new int[0]);
    private final SlotMarks marks;
    private int[] found = new int[64];

    BlockPool(BlockPoolBuilder builder) {
        super(builder.blocks, builder.ledger(), builder.board, builder.leakDetection,
                builder.leakReport(), builder.clock, builder.maxWaiters);
        this.identity = builder.identity;
        this.events = new PoolEvents(builder.events, builder.blocks, ledger.slots);
        this.marks = new SlotMarks(ledger.size());
        memory().onReserved(this::reserved);
        var _ = memory().reserved().whenComplete((_, failure) -> {
            if (failure != null) {
                refused();
            }
        });
    }

    /** Starts a pool over these blocks, which become the pool's own. */
    public static BlockPoolBuilder builder(BlockSet blocks) {
        return new BlockPoolBuilder(blocks);
    }

    /** The kind of identity under which this pool registers blocks. */
    public IdentityKind identity() {
        return identity;
    }

    /** The number of tokens a block holds. */
    public int pageSize() {
        return blocks().layout().pageSize();
    }

    // ---------------------------------------------------------------------------------------------- allocate

    /**
     * Takes n blocks to fill, at once or not at all: first those without content, then by evicting in reuse order.
     *
     * @throws PoolException {@code NOT_ENOUGH_BLOCKS} where fewer are available, {@code REQUEST_TOO_LARGE} where the pool
     *         never has as many
     */
    public BlockList<MutableBlock> allocateBlocks(int n) {
        lock.lock();
        try {
            requireOpen();
            requirePossible(n);
            requireAvailable(n);
            return take(n);
        } finally {
            lock.unlock();
        }
    }

    private void requireAvailable(int n) {
        if (n > ledger.available()) {
            counters.allocationFailures++;
            throw new PoolException(PoolException.Kind.NOT_ENOUGH_BLOCKS, n + " blocks were asked for and "
                    + ledger.available() + " of " + ledger.size() + " are available in " + this
                    + "; close handles, wait with a deadline, or enlarge the pool");
        }
    }

    /**
     * Takes n blocks to fill, waiting for them if need be. Waiting callers are served in the order in which they came.
     *
     * @throws PoolException {@code DEADLINE_EXCEEDED} where they did not become available in time,
     *         {@code TOO_MANY_WAITERS}, {@code REQUEST_TOO_LARGE}
     * @throws InterruptedException where the thread was interrupted; nothing was taken
     */
    public BlockList<MutableBlock> allocateBlocks(int n, Duration timeout) throws InterruptedException {
        return await(n, () -> n, () -> take(n), timeout);
    }

    /**
     * Gives holds back and takes n blocks to fill, or neither: empty where so many would not be available even then.
     *
     * @param given handles of this pool
     */
    public Optional<BlockList<MutableBlock>> exchangeBlocks(List<? extends BlockHandle> given, int n) {
        lock.lock();
        try {
            requireOpen();
            int back = 0;
            for (BlockHandle handle : given) {
                back += !handle.isClosed() && ledger.slots.holders(slot(handle)) == 1 ? 1 : 0;
            }
            if (n > ledger.available() + back) {
                return Optional.empty();
            }
            closeAll(given);
            return Optional.of(take(n));
        } finally {
            lock.unlock();
        }
    }

    /**
     * The blocks of a sequence.
     *
     * @param found holds on those at its start that are registered
     * @param own blocks to fill for the others
     */
    public record Acquired(BlockList<ImmutableBlock> found, BlockList<MutableBlock> own) {}

    /**
     * Finds the blocks at the start of a sequence and takes blocks to fill for the rest, at once or not at all.
     *
     * @param to the block of the chain before which to stop looking
     * @param n the number of blocks in all, at least {@code to}
     * @throws PoolException as {@link #allocateBlocks(int)}
     */
    public Acquired acquireBlocks(IdentityChain chain, int to, int n) {
        requireKind(chain);
        requireRange(chain, 0, to);
        lock.lock();
        try {
            requireOpen();
            requirePossible(n);
            requireAvailable(need(chain, to, n));
            return acquire(chain, to, n);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Finds the blocks at the start of a sequence and takes blocks to fill for the rest as soon as there are enough.
     * Nothing is held while it waits: two that wait could each hold what the other one waits for.
     *
     * @throws PoolException as {@link #allocateBlocks(int, Duration)}
     * @throws InterruptedException where the thread was interrupted; nothing was taken
     */
    public Acquired acquireBlocks(IdentityChain chain, int to, int n, Duration timeout) throws InterruptedException {
        requireKind(chain);
        requireRange(chain, 0, to);
        return await(n, () -> need(chain, to, n), () -> acquire(chain, to, n), timeout);
    }

    /** What is found and idle is available too, so only what is found and held is not needed. */
    private int need(IdentityChain chain, int to, int n) {
        int registered = find(chain, 0, to);
        int held = 0;
        for (int i = 0; i < registered; i++) {
            held += ledger.slots.is(found[i], SlotState.ACTIVE) ? 1 : 0;
        }
        return n - held;
    }

    private Acquired acquire(IdentityChain chain, int to, int n) {
        BlockList<ImmutableBlock> registered = matched(find(chain, 0, to), to);
        return new Acquired(registered, take(n - registered.size()));
    }

    private BlockList<MutableBlock> take(int n) {
        int[] taken = new int[n];
        int evicted = 0;
        for (int i = 0; i < n; i++) {
            int slot = ledger.takeFree();
            if (slot == ReuseOrder.NONE) {
                slot = ledger.evict();
                evicted++;
            }
            ledger.own(slot);
            taken[i] = slot;
        }
        counters.allocations += n;
        events.removed(taken, n - evicted);
        if (evicted > 0) {
            counters.evictions += evicted;
            EvictEvent.happened(blocks().level(), evicted, ledger.inactive());
        }
        return owned(taken);
    }

    // ---------------------------------------------------------------------------------------------- register

    /**
     * Makes complete blocks findable by the hashes of the tokens they hold, all of them or none. A block whose identity
     * is present already goes back to the pool and the present one is returned in its place. The given handles are used
     * up.
     *
     * @return as many blocks as were given, in the same order
     * @throws io.kvbm.error.BlockException where a block is not complete
     * @throws IdentityException where the pool does not register by 64-bit hashes
     * @throws PoolException {@code INVALID_BLOCK} where a block is another pool's, closed, given twice, or the target of
     *         a running transfer
     */
    public BlockList<ImmutableBlock> registerBlocks(List<MutableBlock> complete) {
        requireHashes("register token blocks");
        List<TokenBlock> contents = new ArrayList<>(complete.size());
        for (MutableBlock block : complete) {
            requireOwn(block);
            contents.add(complete(block));
        }
        BlockList<ImmutableBlock> registered = register(complete, new ContentNames.OfTokenBlocks(contents));
        complete.forEach(this::registered);
        return registered;
    }

    /**
     * Makes blocks findable as consecutive blocks of a sequence, all of them or none; see
     * {@link #registerBlocks(List)}.
     *
     * @param filled blocks whose memory holds the K/V of the sequence's blocks {@code from}, {@code from + 1}, …
     * @param chain the sequence's identities, of at least as many blocks
     */
    public BlockList<ImmutableBlock> registerBlocks(List<MutableBlock> filled, IdentityChain chain, int from) {
        requireKind(chain);
        requireRange(chain, from, (long) from + filled.size());
        return register(filled, new ContentNames.OfChain(chain, from));
    }

    private BlockList<ImmutableBlock> register(List<MutableBlock> given, ContentNames names) {
        int n = given.size();
        lock.lock();
        try {
            requireOpen();
            if (n == 0) {
                return noBlocks;
            }
            int[] filled = requireRegistrable(given);
            requireHoldable(names, n);
            int[] held = new int[n];
            BlockList<?> list = given instanceof BlockList<?> whole ? whole : null;
            int fresh = 0;
            int previous = ReuseOrder.NONE;
            for (int i = 0; i < n; i++) {
                int present = names.find(ledger.table, i);
                int slot = filled[i];
                if (list != null) {
                    end(list, i);
                } else {
                    end(given.get(i));
                }
                if (present != ReuseOrder.NONE) {
                    ledger.activate(present);
                    letGo(slot);
                    counters.registrationDedup++;
                    held[i] = present;
                    previous = present;
                    continue;
                }
                int parent = names.findParent(ledger.table, i, previous);
                names.name(ledger.slots, slot, parent, i);
                ledger.register(slot, parent);
                fresh++;
                held[i] = slot;
                previous = slot;
            }
            counters.registrations += fresh;
            events.stored(filled, held, fresh, names);
            if (list != null) {
                ended(list);
            }
            line.wake(ledger.available());
            return shared(held);
        } finally {
            lock.unlock();
        }
    }

    /** The slots of these blocks. A whole list is looked through without making its handles. */
    private int[] requireRegistrable(List<MutableBlock> given) {
        BlockList<?> list = given instanceof BlockList<?> whole && owns(whole) ? whole : null;
        int[] filled = new int[given.size()];
        marks.clear();
        for (int i = 0; i < filled.length; i++) {
            if (list == null || isEnded(list, i)) {
                requireOwn(given.get(i));
            }
            int slot = list == null ? slot(given.get(i)) : slot(list, i);
            if (!marks.add(slot)) {
                throw invalid(given.get(i), "is given twice; give every block once");
            }
            if (ledger.slots.holders(slot) > 1) {
                throw invalid(given.get(i), "is pinned by a running transfer; wait for its completion");
            }
            filled[i] = slot;
        }
        return filled;
    }

    private void requireOwn(MutableBlock block) {
        if (!owns(block)) {
            throw invalid(block, "belongs to another pool; register it there");
        }
        if (block.isClosed()) {
            throw invalid(block, "is closed or registered already; give blocks whose handles are open");
        }
    }

    /** Only where the pool has as many holders in all can one block have too many. */
    private void requireHoldable(ContentNames names, int n) {
        if (ledger.holders() + n < SlotTable.MAX_HOLDERS) {
            return;
        }
        for (int i = 0; i < n; i++) {
            int present = names.find(ledger.table, i);
            if (present != ReuseOrder.NONE && ledger.slots.holders(present) + n > SlotTable.MAX_HOLDERS) {
                throw new PoolException(PoolException.Kind.TOO_MANY_HOLDERS, "Block " + present + " has "
                        + ledger.slots.holders(present) + " of at most " + SlotTable.MAX_HOLDERS
                        + " holders; close handles first");
            }
        }
    }

    private static PoolException invalid(MutableBlock block, String why) {
        return new PoolException(PoolException.Kind.INVALID_BLOCK, "Block " + block.id() + " " + why);
    }

    // ---------------------------------------------------------------------------------------------- match

    /**
     * Finds the longest prefix of these sequence hashes that is registered and takes a hold on each of its blocks.
     *
     * @param sequenceHashes unsigned, in order
     * @throws IdentityException where the pool does not register by 64-bit hashes
     */
    public BlockList<ImmutableBlock> matchSequenceHashes(long... sequenceHashes) {
        requireHashes("match sequence hashes");
        lock.lock();
        try {
            requireOpen();
            scratch(sequenceHashes.length);
            int n = 0;
            while (n < sequenceHashes.length) {
                int slot = ledger.table.find(sequenceHashes[n]);
                if (slot == ReuseOrder.NONE || isCrowded(slot, n)) {
                    break;
                }
                found[n++] = slot;
            }
            return matched(n, sequenceHashes.length);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Finds the longest run of a sequence's blocks {@code from}, {@code from + 1}, … below {@code to} that is registered
     * and takes a hold on each of its blocks.
     *
     * @throws IdentityException where the pool keeps another kind of identity than the chain
     */
    public BlockList<ImmutableBlock> matchBlocks(IdentityChain chain, int from, int to) {
        requireKind(chain);
        requireRange(chain, from, to);
        lock.lock();
        try {
            requireOpen();
            return matched(find(chain, from, to), to - from);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes a hold on each of the longest run of a sequence's blocks {@code from}, {@code from + 1}, … below {@code to}
     * that is registered, as {@link #matchBlocks} does. It is not counted as a match.
     */
    public BlockList<ImmutableBlock> holdBlocks(IdentityChain chain, int from, int to) {
        requireKind(chain);
        requireRange(chain, from, to);
        lock.lock();
        try {
            requireOpen();
            return activated(find(chain, from, to));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Has the longest run of a sequence's blocks {@code from}, {@code from + 1}, … below {@code to} that is registered be
     * used now, as far as the order of reuse is concerned. It is not counted as a match.
     *
     * @return how many they are
     */
    public int touchBlocks(IdentityChain chain, int from, int to) {
        try (BlockList<ImmutableBlock> touched = holdBlocks(chain, from, to)) {
            return touched.size();
        }
    }

    /**
     * Takes a hold on each of the longest run of slots, from the first on, that still hold the content of their
     * generations, as others have been told of them. It is not counted as a match.
     */
    public BlockList<ImmutableBlock> holdSlots(int[] slots, long[] generations) {
        return holdSlots(slots, generations, new long[0]);
    }

    /**
     * Takes a hold on each of the longest run of slots, from the first on, that still hold the content of their
     * generations, and of these identities.
     *
     * @param names the words of the identity of each, one after the other; none where any will do
     * @throws IdentityException {@code WRONG_KIND} where the identities have another number of words than this pool's
     */
    public BlockList<ImmutableBlock> holdSlots(int[] slots, long[] generations, long[] names) {
        if (names.length > 0 && names.length != slots.length * identity.words()) {
            throw new IdentityException(IdentityException.Kind.WRONG_KIND, "Identities of " + names.length
                    + " words are asked for of " + slots.length + " blocks of a pool that keeps " + identity
                    + ", of " + identity.words() + " words each");
        }
        lock.lock();
        try {
            requireOpen();
            scratch(slots.length);
            int n = 0;
            while (n < slots.length && isRegistered(slots[n], generations[n]) && isNamed(slots[n], names, n)
                    && !isCrowded(slots[n], n)) {
                found[n] = slots[n];
                n++;
            }
            return activated(n);
        } finally {
            lock.unlock();
        }
    }

    private boolean isRegistered(int slot, long generation) {
        return slot >= 0 && slot < ledger.size() && ledger.slots.state(slot).registered()
                && ledger.slots.generation(slot) == generation;
    }

    private boolean isNamed(int slot, long[] names, int i) {
        return names.length == 0 || ledger.slots.isNamed(slot, names, i * identity.words());
    }

    /** Puts the slots of the longest registered run into {@link #found} and says how long it is. */
    private int find(IdentityChain chain, int from, int to) {
        scratch(to - from);
        int n = 0;
        while (from + n < to) {
            int slot = ledger.table.find(chain, from + n);
            if (slot == ReuseOrder.NONE || isCrowded(slot, n)) {
                break;
            }
            found[n++] = slot;
        }
        return n;
    }

    /** A block that cannot take another holder is a miss. */
    private boolean isCrowded(int slot, int n) {
        return ledger.holders() + n >= SlotTable.MAX_HOLDERS && ledger.slots.holders(slot) + n >= SlotTable.MAX_HOLDERS;
    }

    private void scratch(int n) {
        if (found.length < n) {
            found = new int[Math.max(n, found.length * 2)];
        }
    }

    private BlockList<ImmutableBlock> matched(int n, int requested) {
        counters.matchHashesRequested += requested;
        counters.matchBlocksReturned += n;
        return activated(n);
    }

    private BlockList<ImmutableBlock> activated(int n) {
        if (n == 0) {
            return noBlocks;
        }
        for (int i = 0; i < n; i++) {
            ledger.activate(found[i]);
        }
        return shared(Arrays.copyOf(found, n));
    }

    // ---------------------------------------------------------------------------------------------- whole pool

    /**
     * Makes every block unfindable. Blocks that are held stay readable and become free with their last handle.
     *
     * @return the number of blocks that were registered
     */
    public int clear() {
        lock.lock();
        try {
            requireOpen();
            int cleared = ledger.unlist(0, ledger.size(), _ -> true).length;
            events.cleared();
            line.wake(ledger.available());
            return cleared;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Makes every block unfindable whose sequence began with this salt hash, as all of one tenant do. Blocks that are held
     * stay readable and become free with their last handle.
     *
     * @param saltHash of {@link IdentityChain#saltHash()}, or of the token blocks
     * @return the number of blocks that were registered
     */
    public int clear(long saltHash) {
        int cleared = 0;
        for (int from = 0; from < ledger.size(); from += CLEARED_AT_ONCE) {
            cleared += clear(saltHash, from, Math.min(from + CLEARED_AT_ONCE, ledger.size()));
        }
        return cleared;
    }

    private int clear(long saltHash, int from, int to) {
        lock.lock();
        try {
            requireOpen();
            int[] cleared = ledger.unlist(from, to, slot -> ledger.slots.saltHash(slot) == saltHash);
            events.removed(cleared, 0);
            line.wake(ledger.available());
            return cleared.length;
        } finally {
            lock.unlock();
        }
    }

    @Override
    void dropIdle() {
        events.removed(ledger.dropIdle(), 0);
    }

    private void reserved(int slotCount) {
        lock.lock();
        try {
            ledger.reserved(slotCount);
            line.wake(ledger.available());
        } finally {
            lock.unlock();
        }
    }

    /** No more blocks will get memory, so whoever waits for more than there are waits in vain. */
    private void refused() {
        lock.lock();
        try {
            ledger.refused();
            line.wakeAll();
        } finally {
            lock.unlock();
        }
    }

    private void requireHashes(String operation) {
        if (identity != IdentityKind.XXH3) {
            throw new IdentityException(IdentityException.Kind.WRONG_KIND, "A pool that keeps " + identity
                    + " identities cannot " + operation + "; use an IdentityChain, or a pool with XXH3 identities");
        }
    }

    private void requireKind(IdentityChain chain) {
        if (chain.kind() != identity) {
            throw new IdentityException(IdentityException.Kind.WRONG_KIND, "A pool that keeps " + identity
                    + " identities cannot be asked by a chain of " + chain.kind() + " identities");
        }
        if (chain.pageSize() != pageSize()) {
            throw new IllegalArgumentException(
                    "A chain of blocks of " + chain.pageSize() + " tokens is given to " + this
                            + ", whose blocks hold " + pageSize());
        }
    }

    /** Before anything is changed, as half a request cannot be taken back. */
    private static void requireRange(IdentityChain chain, int from, long to) {
        if (from < 0 || from > to || to > chain.size()) {
            throw new IllegalArgumentException(
                    "Blocks " + from + " to " + to + " are asked for of a chain of " + chain.size());
        }
    }

    @Override
    public String toString() {
        return "pool " + blocks().level() + " of worker " + Long.toUnsignedString(blocks().workerId());
    }
}
