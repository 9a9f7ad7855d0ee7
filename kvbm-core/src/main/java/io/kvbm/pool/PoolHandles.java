package io.kvbm.pool;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.BlockMetadata;
import io.kvbm.block.BlockOwner;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.block.SlotBoard;
import io.kvbm.error.ClosedException;
import io.kvbm.error.PoolException;
import io.kvbm.storage.BlockMemory;
import io.kvbm.time.MonotonicClock;

/**
 * The side of a pool that its handles and pins talk to: they share, pin and give back their holds, and ask what is
 * known of their block, or anybody of all blocks. Owns the lock, and frees the memory of a closed pool with the last
 * hold.
 */
abstract sealed class PoolHandles extends BlockOwner implements AutoCloseable permits BlockPool {

    final ReentrantLock lock = new ReentrantLock();
    final SlotLedger ledger;
    final WaitingLine line;
    final LeakNet leaks;
    final PoolCounters counters = new PoolCounters();

    private final Condition idle = lock.newCondition();
    private final BlockSet blocks;
    private final @Nullable SlotBoard board;
    private final MonotonicClock clock;
    private boolean closed;
    private boolean freed;

    PoolHandles(BlockSet blocks, SlotLedger ledger, @Nullable SlotBoard board, LeakDetection leakDetection,
            LeakReport leakReport, MonotonicClock clock, int maxWaiters) {
        this.blocks = blocks;
        this.board = board;
        this.ledger = ledger;
        this.line = new WaitingLine(lock, clock, maxWaiters);
        this.leaks = new LeakNet(this, leakDetection, leakReport);
        this.clock = clock;
    }

    @Override
    public final BlockSet blocks() {
        return blocks;
    }

    /** Whether a handle is a hold on a block of this pool. */
    public final boolean isPoolOf(BlockHandle handle) {
        return owns(handle);
    }

    /** Where the blocks lie, for the other classes of the pool. */
    final BlockMemory memoryOfBlocks() {
        return memory();
    }

    /** Completes when all blocks have memory, exceptionally where the system refused some. */
    public final CompletionStage<Void> reserved() {
        return memory().reserved();
    }

    // ---------------------------------------------------------------------------------------------- hold

    /** The list of holds that were just taken on slots to be filled. */
    final BlockList<MutableBlock> owned(int[] slots) {
        BlockList<MutableBlock> list = mutable(slots);
        castNet(list, slots);
        return list;
    }

    /** The list of holds that were just taken on registered slots. */
    final BlockList<ImmutableBlock> shared(int[] slots) {
        BlockList<ImmutableBlock> list = immutable(slots);
        castNet(list, slots);
        return list;
    }

    private void castNet(BlockList<?> list, int[] slots) {
        if (slots.length > 0 && leaks.isDue()) {
            watch(list, leaks.cast(list, slots));
        }
    }

    @Override
    protected final ImmutableBlock share(ImmutableBlock handle) {
        lock.lock();
        try {
            requireOpen(handle);
            ledger.hold(slot(handle));
            return shared(new int[]{slot(handle)}).getFirst();
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected final Pin pin(BlockHandle handle) {
        return pinAll(new BlockHandle[]{handle}, 0, 1).getFirst();
    }

    @Override
    protected final List<Pin> pinAll(BlockHandle[] handles, int from, int to) {
        int[] pinned = new int[to - from];
        lock.lock();
        try {
            for (int i = 0; i < pinned.length; i++) {
                requireOpen(handles[from + i]);
                pinned[i] = slot(handles[from + i]);
            }
            return pins(pinned, handles[from]);
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected final List<Pin> pinAll(BlockList<?> list) {
        int[] pinned = new int[list.size()];
        lock.lock();
        try {
            for (int i = 0; i < pinned.length; i++) {
                if (isEnded(list, i)) {
                    requireOpen(list.get(i));
                }
                pinned[i] = slot(list, i);
            }
            return pins(pinned, list.getFirst());
        } finally {
            lock.unlock();
        }
    }

    private SlotPins pins(int[] pinned, BlockHandle like) {
        ledger.holdAll(pinned);
        SlotPins pins = new SlotPins(this, pinned, like instanceof ImmutableBlock);
        if (leaks.isDue()) {
            pins.net = leaks.cast(pins, pinned);
        }
        return pins;
    }

    // ---------------------------------------------------------------------------------------------- give back

    @Override
    protected final void release(BlockHandle handle) {
        lock.lock();
        try {
            giveBack(handle);
            line.wake(ledger.available());
        } finally {
            unlockAndFree();
        }
    }

    @Override
    protected final void releaseAll(BlockList<?> list) {
        if (list.isEmpty()) {
            return;
        }
        lock.lock();
        try {
            for (int i = list.size() - 1; i >= 0; i--) {
                if (end(list, i)) {
                    letGo(slot(list, i));
                }
            }
            ended(list);
            line.wake(ledger.available());
        } finally {
            unlockAndFree();
        }
    }

    /** Gives the holds of these handles of this pool back at once, last to first; those given back before are skipped. */
    public final void closeAll(List<? extends BlockHandle> handles) {
        lock.lock();
        try {
            for (int i = handles.size() - 1; i >= 0; i--) {
                giveBack(handles.get(i));
            }
            line.wake(ledger.available());
        } finally {
            unlockAndFree();
        }
    }

    private void giveBack(BlockHandle handle) {
        if (end(handle)) {
            letGo(slot(handle));
        }
    }

    /** Ends one pin. */
    final void unpin(SlotPins pins, int place) {
        lock.lock();
        try {
            endPin(pins, place);
            pins.ended();
            line.wake(ledger.available());
        } finally {
            unlockAndFree();
        }
    }

    @Override
    protected final void unpinAll(List<Pin> pins) {
        SlotPins own = (SlotPins) pins;
        lock.lock();
        try {
            for (int i = 0; i < own.size(); i++) {
                endPin(own, i);
            }
            own.ended();
            line.wake(ledger.available());
        } finally {
            unlockAndFree();
        }
    }

    private void endPin(SlotPins pins, int place) {
        if (pins.end(place)) {
            letGo(pins.slot(place));
        }
    }

    /** Takes back what is open of the holds of a list that is lost, and says which slots that were. */
    final int[] reclaim(int[] holds) {
        lock.lock();
        try {
            int[] open = Arrays.stream(holds).filter(hold -> hold >= 0).toArray();
            Arrays.setAll(holds, i -> Math.min(holds[i], ~holds[i]));
            for (int i = open.length - 1; i >= 0; i--) {
                letGo(open[i]);
            }
            counters.leaked += open.length;
            line.wake(ledger.available());
            return open;
        } finally {
            unlockAndFree();
        }
    }

    /** Ends one hold. */
    final void letGo(int slot) {
        ledger.letGo(slot);
        if (ledger.holders() == 0) {
            idle.signalAll();
        }
        if (closed) {
            dropIdle();
        }
    }

    /** Unlists and frees what nobody holds. */
    abstract void dropIdle();

    /**
     * Waits until no handle and no pin is open.
     *
     * @return false where the time ran out first
     */
    public final boolean awaitIdle(Duration timeout) throws InterruptedException {
        long deadline = deadline(timeout);
        lock.lockInterruptibly();
        try {
            while (ledger.holders() > 0) {
                long left = deadline - clock.nanoTime();
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

    /** A time of more than 292 years is as good as 292. */
    final long deadline(Duration timeout) {
        return clock.nanoTime() + Math.max(0, TimeUnit.NANOSECONDS.convert(timeout));
    }

    // ---------------------------------------------------------------------------------------------- wait

    /**
     * Takes something as soon as enough blocks are available for it and nobody is before this caller.
     *
     * @param most how many blocks it takes at most
     * @param need how many it would take now
     */
    final <T> T await(int most, IntSupplier need, Supplier<T> take, Duration timeout) throws InterruptedException {
        long deadline = deadline(timeout);
        lock.lockInterruptibly();
        try {
            requireOpen();
            requirePossible(most);
            if (line.size() == 0 && need.getAsInt() <= ledger.available()) {
                return take.get();
            }
            if (line.size() == line.limit()) {
                counters.allocationFailures++;
                throw new PoolException(PoolException.Kind.TOO_MANY_WAITERS, line.limit()
                        + " callers wait for blocks of " + this + " already, which is the limit; try later");
            }
            WaitingLine.Waiter waiter = line.join(need);
            try {
                while (!line.isServed(waiter, ledger.available())) {
                    if (!line.await(waiter, deadline)) {
                        counters.allocationFailures++;
                        throw new PoolException(PoolException.Kind.DEADLINE_EXCEEDED, need.getAsInt()
                                + " blocks were asked for and " + ledger.available() + " of " + ledger.size()
                                + " are available in " + this + " after " + timeout
                                + "; close handles sooner, or enlarge the pool");
                    }
                    requireOpen();
                    requirePossible(most);
                }
                return take.get();
            } finally {
                line.leave(waiter);
                line.wake(ledger.available());
            }
        } finally {
            lock.unlock();
        }
    }

    final void requirePossible(int n) {
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

    // ---------------------------------------------------------------------------------------------- ask

    @Override
    protected final BlockMetadata metadata(BlockHandle handle) {
        lock.lock();
        try {
            requireOpen(handle);
            return ledger.slots.metadata(slot(handle));
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected final void priority(MutableBlock handle, int priority) {
        lock.lock();
        try {
            requireOpen(handle);
            ledger.slots.priority(slot(handle), priority);
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected final OptionalLong epoch() {
        return board == null ? OptionalLong.empty() : OptionalLong.of(board.epoch());
    }

    @Override
    protected final long generation(ImmutableBlock handle) {
        lock.lock();
        try {
            requireOpen(handle);
            return ledger.slots.generation(slot(handle));
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected final long sequenceHash(ImmutableBlock handle) {
        lock.lock();
        try {
            requireOpen(handle);
            return ledger.slots.sequenceHash(slot(handle));
        } finally {
            lock.unlock();
        }
    }

    @Override
    protected final long blockHash(ImmutableBlock handle) {
        lock.lock();
        try {
            requireOpen(handle);
            return ledger.slots.blockHash(slot(handle));
        } finally {
            lock.unlock();
        }
    }

    private static void requireOpen(BlockHandle handle) {
        if (handle.isClosed()) {
            throw new ClosedException(
                    "The handle of block " + handle.id() + " is closed; keep it open as long as the block is used");
        }
    }

    /** The pool's counts at this moment. */
    public final PoolStats stats() {
        lock.lock();
        try {
            return counters.stats(blocks.level(), ledger, line.size());
        } finally {
            lock.unlock();
        }
    }

    /** The number of blocks. */
    public final int totalBlocks() {
        return ledger.size();
    }

    /** The number of blocks that can ever be allocated at once: fewer than all where the system refused memory. */
    public final int attainableBlocks() {
        lock.lock();
        try {
            return ledger.attainable();
        } finally {
            lock.unlock();
        }
    }

    /** The number of blocks that could be allocated now. */
    public final int availableBlocks() {
        lock.lock();
        try {
            return ledger.available();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Names the registered blocks of the slots {@code from} to below {@code to}, in order of slots, as they are at one
     * moment: every event that was published before the call is reflected. Nothing else happens in the pool meanwhile, so
     * a few thousand slots per call are enough.
     */
    public final void walkRegistered(int from, int to, RegisteredSlots walk) {
        Objects.checkFromToIndex(from, to, ledger.size());
        lock.lock();
        try {
            requireOpen();
            for (int slot = from; slot < to; slot++) {
                if (ledger.slots.state(slot).registered()) {
                    walk.onRegistered(slot, ledger.slots.generation(slot), ledger.slots.probe(slot));
                }
            }
        } finally {
            lock.unlock();
        }
    }

    // ---------------------------------------------------------------------------------------------- close

    /** Refuses new requests, drops what nobody holds, and frees the memory with the last open handle or pin. */
    @Override
    public final void close() {
        lock.lock();
        try {
            if (!closed) {
                closed = true;
                dropIdle();
                line.wakeAll();
            }
        } finally {
            unlockAndFree();
        }
    }

    final void requireOpen() {
        if (closed) {
            throw new ClosedException(this + " is closed; ask for blocks before the manager is closed");
        }
    }

    /**
     * The last hold on a closed pool frees its memory, which may take long, hence outside of the lock: where a call is
     * made from within another one, the outer one frees.
     */
    private void unlockAndFree() {
        boolean last = closed && ledger.holders() == 0 && !freed && lock.getHoldCount() == 1;
        freed |= last;
        lock.unlock();
        if (last) {
            try {
                memory().close();
            } finally {
                closeBoard();
            }
        }
    }

    private void closeBoard() {
        if (board != null) {
            board.close();
        }
    }

    /** Where other processes see what the slots hold; empty where they do not. */
    public final Optional<SlotBoard> board() {
        return Optional.ofNullable(board);
    }
}
