package io.kvbm.remote;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.BooleanSupplier;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.Pin;
import io.kvbm.block.SlotBoardView;
import io.kvbm.error.RemoteException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.FullyContiguousLayout;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.MemoryCopy;

/**
 * A block set of another worker of this host, mapped: blocks are copied out of it without asking their owner. Each is
 * looked at on the owner's board before and after the copy, see {@link io.kvbm.block.SlotBoard}, and what was copied
 * counts only where both looks find what is wanted.
 *
 * <p>
 * Blocks are read a few at a time, the looks of which are waited for together; their number is bounded, so that a block
 * is not exposed for long between its two looks.
 */
final class MappedLevel {

    private static final int MOST_BLOCKS_AT_ONCE = 32;
    private static final long BYTES_AT_ONCE = 256 << 10;

    private static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle();

    final BlockMemory memory;

    private final SlotBoardView board;
    private final ChecksumMode checksums;
    private final ReadStep.Watcher watcher;
    private final long bytesPerBlock;

    /** All blocks, where each is one run of bytes, and the bytes from one to the next. */
    private final @Nullable MemorySegment run;
    private final long stride;

    private final int blocksAtOnce;
    private volatile boolean closed;

    MappedLevel(SlotBoardView board, BlockMemory memory, ChecksumMode checksums, ReadStep.Watcher watcher) {
        this.board = board;
        this.memory = memory;
        this.checksums = checksums;
        this.watcher = watcher;
        this.bytesPerBlock = memory.layout().bytesPerBlock();
        if (memory.layout() instanceof FullyContiguousLayout contiguous) {
            this.run = memory.data(0);
            this.stride = contiguous.blockStride();
        } else {
            this.run = null;
            this.stride = 0;
        }
        this.blocksAtOnce = Math.clamp(BYTES_AT_ONCE / bytesPerBlock, 1, MOST_BLOCKS_AT_ONCE);
    }

    BlockLayout layout() {
        return memory.layout();
    }

    SlotBoardView board() {
        return board;
    }

    /**
     * Copies blocks in order up to the first that is not what was wanted.
     *
     * @param destinations one for each, of the same shape; what those behind the last block taken hold is undefined
     * @param mayGoOn asked every few blocks; where not, the read ends there
     * @throws RemoteException {@code TRANSPORT} where the memory is unmapped before the read has ended
     */
    ReadResult read(Wanted wanted, List<Pin> destinations, BooleanSupplier mayGoOn) {
        int done = 0;
        while (done < wanted.size()) {
            if (!mayGoOn.getAsBoolean()) {
                return new ReadResult(done, ReadOutcome.LATE);
            }
            if (closed) {
                throw unmapped(null);
            }
            int to = Math.min(done + blocksAtOnce, wanted.size());
            ReadResult some;
            try {
                some = readSome(wanted, done, to, destinations);
            } catch (IllegalStateException e) {
                throw closed ? unmapped(e) : e;
            }
            done += some.blocks();
            if (some.end() != ReadOutcome.TAKEN) {
                return new ReadResult(done, some.end());
            }
        }
        return new ReadResult(done, ReadOutcome.TAKEN);
    }

    private static RemoteException unmapped(@Nullable Throwable cause) {
        return new RemoteException(RemoteException.Kind.TRANSPORT, "The memory of a worker was unmapped while blocks"
                + " of it were read; compute the blocks or ask another worker", cause);
    }

    /** Ends the reads that run, so that the memory can be unmapped, and refuses others. */
    void close() {
        closed = true;
    }

    private ReadResult readSome(Wanted wanted, int from, int to, List<Pin> destinations) {
        watcher.before(ReadStep.LOOK);
        int good = wanted.look(board, from, to);
        ReadOutcome end = good < to ? wanted.miss(board, good) : ReadOutcome.TAKEN;
        watcher.before(ReadStep.COPY);
        copy(wanted.slots(), from, good, destinations);
        watcher.before(ReadStep.FENCE);
        SlotBoardView.fence();
        watcher.before(ReadStep.LOOK_AGAIN);
        int still = wanted.lookAgain(board, from, good);
        if (still < good) {
            good = still;
            end = ReadOutcome.TORN;
        }
        watcher.before(ReadStep.CHECKSUM);
        for (int i = from; i < good; i++) {
            ReadOutcome checked = compare(wanted, i, destinations.get(i));
            if (checked != ReadOutcome.TAKEN) {
                good = i;
                end = checked;
            }
        }
        return new ReadResult(good - from, end);
    }

    private void copy(int[] slots, int from, int to, List<Pin> destinations) {
        BlockLayout fitting = layout();
        for (int i = from; i < to; i++) {
            Pin destination = destinations.get(i);
            BlockLayout layout = destination.layout();
            if (layout != fitting) {
                requireSameShape(layout);
                fitting = layout;
            }
            if (run != null && layout.blockContiguous()) {
                if (i + 1 < to) {
                    fetch(run, slots[i + 1]);
                }
                MemoryCopy.copy(run, slots[i] * stride, destination.segment(), 0, bytesPerBlock);
            } else {
                copyParts(slots[i], destination, layout);
            }
        }
    }

    /**
     * Loads the start of the block that is copied next: its page and its first line are on their way while the one before
     * is copied. The load is an ordered one only so that it is not left out.
     */
    private void fetch(MemorySegment blocks, int slot) {
        var _ = (byte) BYTE.getAcquire(blocks, slot * stride);
    }

    private void copyParts(int slot, Pin destination, BlockLayout to) {
        for (int layer = 0; layer < to.numLayers(); layer++) {
            for (int outer = 0; outer < to.outerDim(); outer++) {
                MemoryCopy.copy(memory.part(slot, layer, outer), 0, destination.segment(layer, outer), 0,
                        to.regionSize());
            }
        }
    }

    /** A block of fewer bytes would be filled and taken for a whole one. */
    private void requireSameShape(BlockLayout to) {
        BlockLayout from = layout();
        if (from.numLayers() != to.numLayers() || from.outerDim() != to.outerDim()
                || from.regionSize() != to.regionSize()) {
            throw new IllegalArgumentException("A block of " + from.config() + " is to be read into one of "
                    + to.config());
        }
    }

    private ReadOutcome compare(Wanted wanted, int i, Pin destination) {
        int slot = wanted.slots()[i];
        long generation = wanted.generation(i);
        if (generation < 0 || !checksums.isDue(slot, generation)) {
            return ReadOutcome.TAKEN;
        }
        OptionalInt expected = board.checksum(slot, generation);
        if (expected.isEmpty()) {
            return checksums == ChecksumMode.FULL ? ReadOutcome.UNCHECKED : ReadOutcome.TAKEN;
        }
        return expected.getAsInt() == BlockChecksum.of(destination) ? ReadOutcome.TAKEN : ReadOutcome.CORRUPT;
    }
}
