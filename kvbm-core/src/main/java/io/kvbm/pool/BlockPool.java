package io.kvbm.pool;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.SlotBoard;
import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.error.IdentityException;
import io.kvbm.error.PoolException;
import io.kvbm.event.EventSink;
import io.kvbm.time.MonotonicClock;
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

    private final IdentityKind identity;
    private final PoolEvents events;
    private final BlockList<ImmutableBlock> noBlocks = immutable(new int[0]);
    private final SlotMarks marks;
    private int[] found = new int[64];

    private BlockPool(Builder builder) {
        super(builder.blocks, builder.ledger(), builder.board, builder.leakDetection, builder.clock,
                builder.maxWaiters);
        this.identity = builder.identity;
        this.events = new PoolEvents(builder.events, builder.blocks, ledger.slots);
        this.marks = new SlotMarks(ledger.size());
        builder.blocks.memory().onReserved(this::reserved);
        var _ = builder.blocks.memory().reserved().whenComplete((_, failure) -> {
            if (failure != null) {
                refused();
            }
        });
    }

    /** Starts a pool over these blocks, which become the pool's own. */
    public static Builder builder(BlockSet blocks) {
        return new Builder(blocks);
    }

    /** The kind of identity under which this pool registers blocks. */
    public IdentityKind identity() {
        return identity;
    }

    /** The number of tokens a block holds. */
    public int pageSize() {
        return blocks().memory().layout().pageSize();
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
            if (n > ledger.available()) {
                counters.allocationFailures++;
                throw new PoolException(PoolException.Kind.NOT_ENOUGH_BLOCKS, n + " blocks were asked for and "
                        + ledger.available() + " of " + ledger.size() + " are available in " + this
                        + "; close handles, wait with a deadline, or enlarge the pool");
            }
            return take(n);
        } finally {
            lock.unlock();
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
        long deadline = deadline(timeout);
        lock.lockInterruptibly();
        try {
            requireOpen();
            requirePossible(n);
            if (line.size() == 0 && n <= ledger.available()) {
                return take(n);
            }
            if (line.size() == line.limit()) {
                counters.allocationFailures++;
                throw new PoolException(PoolException.Kind.TOO_MANY_WAITERS, line.limit()
                        + " callers wait for blocks of " + this + " already, which is the limit; try later");
            }
            WaitingLine.Waiter waiter = line.join(n);
            try {
                while (!line.isServed(waiter, ledger.available())) {
                    if (!line.await(waiter, deadline)) {
                        counters.allocationFailures++;
                        throw new PoolException(PoolException.Kind.DEADLINE_EXCEEDED, n
                                + " blocks were asked for and " + ledger.available() + " of " + ledger.size()
                                + " are available in " + this + " after " + timeout
                                + "; close handles sooner, or enlarge the pool");
                    }
                    requireOpen();
                    requirePossible(n);
                }
                return take(n);
            } finally {
                line.leave(waiter);
                line.wake(ledger.available());
            }
        } finally {
            lock.unlock();
        }
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
        counters.evictions += evicted;
        events.removed(taken, n - evicted);
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
            scratch(to - from);
            int n = 0;
            while (from + n < to) {
                int slot = ledger.table.find(chain, from + n);
                if (slot == ReuseOrder.NONE || isCrowded(slot, n)) {
                    break;
                }
                found[n++] = slot;
            }
            return matched(n, to - from);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Takes a hold on each of the longest run of slots, from the first on, that still hold the content of their
     * generations, as others have been told of them. It is not counted as a match.
     */
    public BlockList<ImmutableBlock> holdSlots(int[] slots, long[] generations) {
        lock.lock();
        try {
            requireOpen();
            scratch(slots.length);
            int n = 0;
            while (n < slots.length && isRegistered(slots[n], generations[n]) && !isCrowded(slots[n], n)) {
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
            int cleared = ledger.clear();
            events.cleared();
            line.wake(ledger.available());
            return cleared;
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

    private void requirePossible(int n) {
        if (n < 0) {
            throw new IllegalArgumentException(n + " blocks were asked for");
        }
        if (n > ledger.attainable()) {
            counters.allocationFailures++;
            throw new PoolException(PoolException.Kind.REQUEST_TOO_LARGE,
                    n + " blocks were asked for and " + this + " has " + ledger.attainable() + " in all"
                            + (ledger.attainable() < ledger.size() ? ", as the system refused memory for more" : "")
                            + "; enlarge the pool or shorten the request");
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

    /** What a pool can be told before it starts. */
    public static final class Builder {

        private final BlockSet blocks;
        private IdentityKind identity = IdentityKind.XXH3;
        private ReusePolicy reusePolicy = ReusePolicy.LINEAGE;
        private LeakDetection leakDetection = LeakDetection.SAMPLED;
        private EventSink events = EventSink.NONE;
        private @Nullable SlotBoard board;
        private MonotonicClock clock = MonotonicClock.SYSTEM;
        private int maxWaiters = 1024;

        private Builder(BlockSet blocks) {
            this.blocks = blocks;
        }

        /** The kind of identity; XXH3 unless set, as the by-hand calls need it. */
        public Builder identity(IdentityKind value) {
            this.identity = value;
            return this;
        }

        /** Which block is reused first; lineage unless set. */
        public Builder reusePolicy(ReusePolicy value) {
            this.reusePolicy = value;
            return this;
        }

        /** How many calls have a leak net; sampled unless set. */
        public Builder leakDetection(LeakDetection value) {
            this.leakDetection = value;
            return this;
        }

        /** Where events go; nowhere unless set. */
        public Builder events(EventSink value) {
            this.events = value;
            return this;
        }

        /** Where other processes see what the slots hold; nowhere unless set. The board becomes the pool's own. */
        public Builder board(SlotBoard value) {
            this.board = value;
            return this;
        }

        /** The clock of deadlines. */
        public Builder clock(MonotonicClock value) {
            this.clock = value;
            return this;
        }

        /** How many callers may wait for blocks at once; 1024 unless set, 0 for none. */
        public Builder maxWaiters(int value) {
            if (value < 0) {
                throw new ConfigException(ConfigException.Kind.INVALID,
                        "maxWaiters is " + value + "; give 0 or more");
            }
            this.maxWaiters = value;
            return this;
        }

        private SlotLedger ledger() {
            if (blocks.size() > MAX_BLOCKS) {
                throw new ConfigException(ConfigException.Kind.INVALID, "A pool of " + blocks.size()
                        + " blocks is over the limit of " + MAX_BLOCKS + "; use larger pages");
            }
            SlotTable slots = new SlotTable(blocks.size(), identity);
            return new SlotLedger(slots, switch (reusePolicy) {
                case LINEAGE -> new LineageOrder(slots.size());
                case PRIORITY -> new PriorityOrder(slots);
            }, board);
        }

        /** Starts the pool. */
        public BlockPool build() {
            return new BlockPool(this);
        }
    }
}
