package io.kvbm.pool;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockId;
import io.kvbm.block.BlockList;
import io.kvbm.block.BlockMetadata;
import io.kvbm.block.BlockOwner;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.error.IdentityException;
import io.kvbm.error.PoolException;
import io.kvbm.event.EventSink;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.layout.BlockLayout;
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
public final class BlockPool extends BlockOwner implements AutoCloseable {

    /** The number of blocks a pool has at most. */
    public static final int MAX_BLOCKS = 1 << 28;

    private final BlockSet blocks;
    private final IdentityKind identity;
    private final EventSink events;
    private final MonotonicClock clock;
    private final int maxWaiters;
    private final BlockList<ImmutableBlock> noBlocks = BlockList.of(this, new ImmutableBlock[0]);

    final ReentrantLock lock = new ReentrantLock();
    private final Condition idle = lock.newCondition();
    private final ArrayDeque<Waiter> waiters = new ArrayDeque<>();
    final SlotTable slots;
    final IdentityTable table;
    final FreeRing free;
    final ReuseOrder order;
    private final LeakNet leaks;
    private final SlotMarks marks;
    private int[] found = new int[64];

    private int attainable;
    private int usable;
    private int inactive;
    private int active;
    private int owned;
    private int unlisted;
    private boolean closed;
    private boolean freed;

    private long tick;
    private long holders;
    private long allocations;
    private long evictions;
    private long allocationFailures;
    private long registrations;
    private long registrationDedup;
    private long matchHashesRequested;
    private long matchBlocksReturned;
    private long leaked;

    private BlockPool(Builder builder) {
        int size = builder.blocks.size();
        if (size > MAX_BLOCKS) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "A pool of " + size + " blocks is over the limit of " + MAX_BLOCKS + "; use larger pages");
        }
        this.blocks = builder.blocks;
        this.identity = builder.identity;
        this.events = builder.events;
        this.clock = builder.clock;
        this.maxWaiters = builder.maxWaiters;
        this.slots = new SlotTable(size, identity);
        this.table = new IdentityTable(slots);
        this.free = new FreeRing(size);
        this.marks = new SlotMarks(size);
        this.leaks = new LeakNet(this, builder.leakDetection);
        this.order = switch (builder.reusePolicy) {
            case LINEAGE -> new LineageOrder(size);
            case PRIORITY -> new PriorityOrder(slots);
        };
        this.attainable = size;
        blocks.memory().onReserved(this::reserved);
        var _ = blocks.memory().reserved().whenComplete((_, failure) -> {
            if (failure != null) {
                refused();
            }
        });
    }

    /** Starts a pool over these blocks, which become the pool's own. */
    public static Builder builder(BlockSet blocks) {
        return new Builder(blocks);
    }

    @Override
    public BlockSet blocks() {
        return blocks;
    }

    /** The kind of identity under which this pool registers blocks. */
    public IdentityKind identity() {
        return identity;
    }

    /** The number of tokens a block holds. */
    public int pageSize() {
        return blocks.memory().layout().pageSize();
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
            if (n > available()) {
                allocationFailures++;
                throw new PoolException(PoolException.Kind.NOT_ENOUGH_BLOCKS, n + " blocks were asked for and "
                        + available() + " of " + slots.size() + " are available in " + this
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
        long deadline = clock.nanoTime() + nanos(timeout);
        lock.lockInterruptibly();
        try {
            requireOpen();
            requirePossible(n);
            if (waiters.isEmpty() && n <= available()) {
                return take(n);
            }
            if (waiters.size() == maxWaiters) {
                allocationFailures++;
                throw new PoolException(PoolException.Kind.TOO_MANY_WAITERS,
                        maxWaiters + " callers wait for blocks of " + this + " already, which is the limit; try later");
            }
            Waiter waiter = new Waiter(n, lock.newCondition());
            waiters.add(waiter);
            try {
                await(waiter, deadline, timeout);
                return take(n);
            } finally {
                waiters.remove(waiter);
                signalWaiter();
            }
        } finally {
            lock.unlock();
        }
    }

    private void await(Waiter waiter, long deadline, Duration timeout) throws InterruptedException {
        while (waiters.peek() != waiter || waiter.n > available()) {
            long remaining = deadline - clock.nanoTime();
            if (remaining <= 0) {
                allocationFailures++;
                throw new PoolException(PoolException.Kind.DEADLINE_EXCEEDED, waiter.n + " blocks were asked for and "
                        + available() + " of " + slots.size() + " are available in " + this + " after " + timeout
                        + "; close handles sooner, or enlarge the pool");
            }
            var _ = waiter.turn.awaitNanos(remaining);
            requireOpen();
            requirePossible(waiter.n);
        }
    }

    private BlockList<MutableBlock> take(int n) {
        MutableBlock[] handles = new MutableBlock[n];
        LeakNet.@Nullable Anchor anchor = n == 0 ? null : leaks.cast(n);
        List<Long> removed = null;
        for (int i = 0; i < n; i++) {
            int slot = free.poll();
            if (slot == ReuseOrder.NONE) {
                slot = order.evict();
                if (events.wanted()) {
                    removed = removed == null ? new ArrayList<>(n - i) : removed;
                    removed.add(slots.sequenceHash(slot));
                }
                table.remove(slot);
                slots.move(slot, SlotState.FREE);
                inactive--;
                evictions++;
            }
            slots.move(slot, SlotState.OWNED);
            slots.acquired(slot, ++tick);
            hold(slot, anchor);
            handles[i] = mutable(slot, anchor);
        }
        owned += n;
        allocations += n;
        if (removed != null) {
            events.publish(new KvEvent.Removed(blocks.level(), removed));
        }
        return BlockList.of(this, handles);
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
            requireRegistrable(given);
            requireHoldable(names, n);
            ImmutableBlock[] handles = new ImmutableBlock[n];
            LeakNet.@Nullable Anchor anchor = leaks.cast(n);
            List<StoredBlock> stored = events.wanted() ? new ArrayList<>(n) : null;
            int previous = ReuseOrder.NONE;
            for (int i = 0; i < n; i++) {
                int present = names.find(table, i);
                int slot = slot(given.get(i));
                consume(given.get(i));
                if (present != ReuseOrder.NONE) {
                    activate(present, anchor);
                    letGo(slot);
                    registrationDedup++;
                    handles[i] = immutable(present, anchor);
                    previous = present;
                    continue;
                }
                int parent = names.findParent(table, i, previous);
                previous = slot;
                names.name(slots, slot, parent, i);
                table.add(slot);
                slots.move(slot, SlotState.ACTIVE);
                order.registered(slot, parent);
                owned--;
                active++;
                registrations++;
                if (anchor != null) {
                    anchor.opened(slot);
                }
                handles[i] = immutable(slot, anchor);
                if (stored != null) {
                    stored.add(new StoredBlock(slots.sequenceHash(slot), slots.blockHash(slot), names.parentHash(i),
                            slots.position(slot)));
                }
            }
            if (stored != null && !stored.isEmpty()) {
                events.publish(new KvEvent.Stored(blocks.level(), pageSize(), stored));
            }
            signalWaiter();
            return BlockList.of(this, handles);
        } finally {
            lock.unlock();
        }
    }

    private void requireRegistrable(List<MutableBlock> given) {
        marks.clear();
        for (MutableBlock block : given) {
            requireOwn(block);
            int slot = slot(block);
            if (!marks.add(slot)) {
                throw invalid(block, "is given twice; give every block once");
            }
            if (slots.holders(slot) > 1) {
                throw invalid(block, "is pinned by a running transfer; wait for its completion");
            }
        }
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
        if (holders + n < SlotTable.MAX_HOLDERS) {
            return;
        }
        for (int i = 0; i < n; i++) {
            int present = names.find(table, i);
            if (present != ReuseOrder.NONE && slots.holders(present) + n > SlotTable.MAX_HOLDERS) {
                throw new PoolException(PoolException.Kind.TOO_MANY_HOLDERS, "Block " + present + " has "
                        + slots.holders(present) + " of at most " + SlotTable.MAX_HOLDERS
                        + " holders; close handles first");
            }
        }
    }

    private static PoolException invalid(MutableBlock block, String why) {
        return new PoolException(PoolException.Kind.INVALID_BLOCK, "Block " + block.id() + " " + why);
    }

    private void consume(MutableBlock block) {
        end(block);
        if (anchor(block) instanceof LeakNet.Anchor anchor) {
            anchor.closed(slot(block));
        }
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
                int slot = table.find(sequenceHashes[n]);
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
                int slot = table.find(chain, from + n);
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

    /** A block that cannot take another holder is a miss. */
    private boolean isCrowded(int slot, int n) {
        return holders + n >= SlotTable.MAX_HOLDERS && slots.holders(slot) + n >= SlotTable.MAX_HOLDERS;
    }

    private void scratch(int n) {
        if (found.length < n) {
            found = new int[Math.max(n, found.length * 2)];
        }
    }

    private BlockList<ImmutableBlock> matched(int n, int requested) {
        matchHashesRequested += requested;
        matchBlocksReturned += n;
        if (n == 0) {
            return noBlocks;
        }
        ImmutableBlock[] handles = new ImmutableBlock[n];
        LeakNet.@Nullable Anchor anchor = leaks.cast(n);
        for (int i = 0; i < n; i++) {
            activate(found[i], anchor);
            handles[i] = immutable(found[i], anchor);
        }
        return BlockList.of(this, handles);
    }

    private void activate(int slot, LeakNet.@Nullable Anchor anchor) {
        if (slots.is(slot, SlotState.INACTIVE)) {
            order.active(slot);
            slots.move(slot, SlotState.ACTIVE);
            inactive--;
            active++;
        }
        hold(slot, anchor);
    }

    private void hold(int slot, LeakNet.@Nullable Anchor anchor) {
        slots.hold(slot);
        holders++;
        if (anchor != null) {
            anchor.opened(slot);
        }
    }

    // ---------------------------------------------------------------------------------------------- handles

    @Override
    protected ImmutableBlock share(ImmutableBlock handle) {
        lock.lock();
        try {
            requireOpen(handle);
            LeakNet.@Nullable Anchor anchor = leaks.cast(1);
            hold(slot(handle), anchor);
            return immutable(slot(handle), anchor);
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected Pin pin(BlockHandle handle) {
        lock.lock();
        try {
            requireOpen(handle);
            hold(slot(handle), null);
            return new SlotPin(slot(handle), handle instanceof ImmutableBlock);
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected List<Pin> pinAll(BlockHandle[] handles, int from, int to) {
        int[] pinned = new int[to - from];
        lock.lock();
        try {
            for (int i = 0; i < pinned.length; i++) {
                requireOpen(handles[from + i]);
                pinned[i] = slot(handles[from + i]);
            }
            slots.holdAll(pinned);
            holders += pinned.length;
        } finally {
            lock.unlock();
        }
        SlotPin[] pins = new SlotPin[pinned.length];
        for (int i = 0; i < pins.length; i++) {
            pins[i] = new SlotPin(pinned[i], handles[from + i] instanceof ImmutableBlock);
        }
        return Arrays.asList(pins);
    }

    @Override
    protected void unpinAll(List<Pin> pins) {
        lock.lock();
        try {
            for (Pin pin : pins) {
                ((SlotPin) pin).end();
            }
            signalWaiter();
        } finally {
            unlockAndFree();
        }
    }

    @Override
    protected void release(BlockHandle handle) {
        lock.lock();
        try {
            giveBack(handle);
            signalWaiter();
        } finally {
            unlockAndFree();
        }
    }

    @Override
    protected void releaseAll(List<? extends BlockHandle> handles) {
        if (handles.isEmpty()) {
            return;
        }
        lock.lock();
        try {
            for (int i = handles.size() - 1; i >= 0; i--) {
                giveBack(handles.get(i));
            }
            signalWaiter();
        } finally {
            unlockAndFree();
        }
    }

    private void giveBack(BlockHandle handle) {
        if (end(handle)) {
            if (anchor(handle) instanceof LeakNet.Anchor anchor) {
                anchor.closed(slot(handle));
            }
            letGo(slot(handle));
        }
    }

    /**
     * Waits until no handle and no pin is open.
     *
     * @return false where the time ran out first
     */
    public boolean awaitIdle(Duration timeout) throws InterruptedException {
        long deadline = clock.nanoTime() + nanos(timeout);
        lock.lockInterruptibly();
        try {
            for (long left = nanos(timeout); holders > 0; left = deadline - clock.nanoTime()) {
                if (left <= 0) {
                    return false;
                }
                var _ = idle.awaitNanos(left);
            }
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Ends one hold; with the last one the slot goes to where its content belongs. */
    private void letGo(int slot) {
        if (--holders == 0) {
            idle.signalAll();
        }
        if (!slots.drop(slot)) {
            return;
        }
        slots.returned(slot, ++tick);
        switch (slots.state(slot)) {
            case OWNED -> {
                owned--;
                slots.move(slot, SlotState.FREE);
                free.add(slot);
            }
            case UNLISTED -> {
                unlisted--;
                slots.move(slot, SlotState.FREE);
                free.add(slot);
            }
            case ACTIVE -> {
                active--;
                inactive++;
                slots.move(slot, SlotState.INACTIVE);
                order.inactive(slot);
                if (closed) {
                    dropInactive();
                }
            }
            case FREE, INACTIVE -> throw new IllegalStateException("Slot " + slot + " was held by nobody");
        }
    }

    /** Takes back what a leak net has found open. */
    int[] reclaim(Supplier<int[]> openSlots) {
        lock.lock();
        try {
            int[] slots = openSlots.get();
            for (int slot : slots) {
                letGo(slot);
            }
            leaked += slots.length;
            signalWaiter();
            return slots;
        } finally {
            unlockAndFree();
        }
    }

    @Override
    protected BlockMetadata metadata(BlockHandle handle) {
        lock.lock();
        try {
            requireOpen(handle);
            return slots.metadata(slot(handle));
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected void priority(MutableBlock handle, int priority) {
        lock.lock();
        try {
            requireOpen(handle);
            slots.priority(slot(handle), priority);
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected long generation(ImmutableBlock handle) {
        lock.lock();
        try {
            requireOpen(handle);
            return slots.generation(slot(handle));
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected long sequenceHash(ImmutableBlock handle) {
        lock.lock();
        try {
            requireOpen(handle);
            return slots.sequenceHash(slot(handle));
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected long blockHash(ImmutableBlock handle) {
        lock.lock();
        try {
            requireOpen(handle);
            return slots.blockHash(slot(handle));
        } finally {
            lock.unlock();
        }
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
            int cleared = table.size();
            for (int slot = 0; slot < slots.size(); slot++) {
                if (slots.is(slot, SlotState.INACTIVE)) {
                    table.remove(slot);
                    order.active(slot);
                    order.unregistered(slot);
                    slots.move(slot, SlotState.FREE);
                    inactive--;
                    free.add(slot);
                } else if (slots.is(slot, SlotState.ACTIVE)) {
                    table.remove(slot);
                    order.unregistered(slot);
                    slots.move(slot, SlotState.UNLISTED);
                    active--;
                    unlisted++;
                }
            }
            if (events.wanted()) {
                events.publish(new KvEvent.Cleared(blocks.level()));
            }
            signalWaiter();
            return cleared;
        } finally {
            lock.unlock();
        }
    }

    /** The pool's counts at this moment. */
    public PoolStats stats() {
        lock.lock();
        try {
            return new PoolStats(blocks.level(), slots.size(), usable, free.size(), inactive, active, owned, unlisted,
                    holders, waiters.size(), allocations, allocations - evictions, evictions, allocationFailures,
                    registrations, registrationDedup, matchHashesRequested, matchBlocksReturned, leaked);
        } finally {
            lock.unlock();
        }
    }

    /** The number of blocks. */
    public int totalBlocks() {
        return slots.size();
    }

    /** The number of blocks that can ever be allocated at once: fewer than all where the system refused memory. */
    public int attainableBlocks() {
        lock.lock();
        try {
            return attainable;
        } finally {
            lock.unlock();
        }
    }

    /** The number of blocks that could be allocated now. */
    public int availableBlocks() {
        lock.lock();
        try {
            return available();
        } finally {
            lock.unlock();
        }
    }

    /** Refuses new requests, drops what nobody holds, and frees the memory with the last open handle or pin. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (!closed) {
                closed = true;
                dropInactive();
                waiters.forEach(waiter -> waiter.turn.signal());
            }
        } finally {
            unlockAndFree();
        }
    }

    private void dropInactive() {
        List<Long> removed = new ArrayList<>(inactive);
        for (int slot = order.evict(); slot != ReuseOrder.NONE; slot = order.evict()) {
            removed.add(slots.sequenceHash(slot));
            table.remove(slot);
            slots.move(slot, SlotState.FREE);
            free.add(slot);
            inactive--;
        }
        if (!removed.isEmpty() && events.wanted()) {
            events.publish(new KvEvent.Removed(blocks.level(), removed));
        }
    }

    /** The last hold on a closed pool frees its memory, which may take long, hence outside of the lock. */
    private void unlockAndFree() {
        boolean last = closed && holders == 0 && !freed;
        freed |= last;
        lock.unlock();
        if (last) {
            blocks.memory().close();
        }
    }

    private void reserved(int slotCount) {
        lock.lock();
        try {
            while (usable < slotCount) {
                free.add(usable++);
            }
            signalWaiter();
        } finally {
            lock.unlock();
        }
    }

    /** A time of more than 292 years is as good as 292. */
    private static long nanos(Duration timeout) {
        return Math.max(0, TimeUnit.NANOSECONDS.convert(timeout));
    }

    /** No more blocks will get memory, so whoever waits for more than there are waits in vain. */
    private void refused() {
        lock.lock();
        try {
            attainable = usable;
            waiters.forEach(waiter -> waiter.turn.signal());
        } finally {
            lock.unlock();
        }
    }

    private int available() {
        return free.size() + inactive;
    }

    private void signalWaiter() {
        Waiter first = waiters.peek();
        if (first != null && first.n <= available()) {
            first.turn.signal();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new ClosedException(this + " is closed; ask for blocks before the manager is closed");
        }
    }

    private void requireOpen(BlockHandle handle) {
        if (handle.isClosed()) {
            throw new ClosedException(
                    "The handle of block " + handle.id() + " is closed; keep it open as long as the block is used");
        }
    }

    private void requirePossible(int n) {
        if (n < 0) {
            throw new IllegalArgumentException(n + " blocks were asked for");
        }
        if (n > attainable) {
            allocationFailures++;
            throw new PoolException(PoolException.Kind.REQUEST_TOO_LARGE,
                    n + " blocks were asked for and " + this + " has " + attainable + " in all"
                            + (attainable < slots.size() ? ", as the system refused memory for more" : "")
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
        return "pool " + blocks.level() + " of worker " + Long.toUnsignedString(blocks.workerId());
    }

    /** A caller that waits for n blocks; each is itself alone, whatever it waits for. */
    private static final class Waiter {

        private final int n;
        private final Condition turn;

        private Waiter(int n, Condition turn) {
            this.n = n;
            this.turn = turn;
        }
    }

    private final class SlotPin implements Pin {

        private final int slot;
        private final boolean readOnly;
        private boolean ended;

        private SlotPin(int slot, boolean readOnly) {
            this.slot = slot;
            this.readOnly = readOnly;
        }

        @Override
        public BlockId id() {
            return blocks.id(slot);
        }

        @Override
        public BlockLayout layout() {
            return blocks.memory().layout();
        }

        @Override
        public MemorySegment segment(int layer, int outer) {
            return view(blocks.memory().part(slot, layer, outer));
        }

        @Override
        public MemorySegment segment() {
            return view(blocks.memory().block(slot));
        }

        private MemorySegment view(MemorySegment memory) {
            return readOnly ? memory.asReadOnly() : memory;
        }

        private void end() {
            if (!ended) {
                ended = true;
                letGo(slot);
            }
        }

        @Override
        public void close() {
            lock.lock();
            try {
                end();
                signalWaiter();
            } finally {
                unlockAndFree();
            }
        }
    }

    /** What a pool can be told before it starts. */
    public static final class Builder {

        private final BlockSet blocks;
        private IdentityKind identity = IdentityKind.XXH3;
        private ReusePolicy reusePolicy = ReusePolicy.LINEAGE;
        private LeakDetection leakDetection = LeakDetection.SAMPLED;
        private EventSink events = EventSink.NONE;
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

        /** Starts the pool. */
        public BlockPool build() {
            return new BlockPool(this);
        }
    }
}
