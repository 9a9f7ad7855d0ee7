package io.kvbm.pool;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

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
            MonotonicClock clock, int maxWaiters) {
        this.blocks = blocks;
        this.board = board;
        this.ledger = ledger;
        this.line = new WaitingLine(lock, clock, maxWaiters);
        this.leaks = new LeakNet(this, leakDetection);
        this.clock = clock;
    }

    @Override
    public final BlockSet blocks() {
        return blocks;
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
            ledger.holdAll(pinned);
        } finally {
            lock.unlock();
        }
        return new SlotPins(this, pinned, handles[from] instanceof ImmutableBlock);
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
            ledger.holdAll(pinned);
        } finally {
            lock.unlock();
        }
        return new SlotPins(this, pinned, list.getFirst() instanceof ImmutableBlock);
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

    /** The last hold on a closed pool frees its memory, which may take long, hence outside of the lock. */
    private void unlockAndFree() {
        boolean last = closed && ledger.holders() == 0 && !freed;
        freed |= last;
        lock.unlock();
        if (last) {
            try {
                blocks.memory().close();
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
