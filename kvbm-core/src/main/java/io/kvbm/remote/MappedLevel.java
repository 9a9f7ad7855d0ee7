package io.kvbm.remote;

import java.util.List;
import java.util.OptionalInt;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.Pin;
import io.kvbm.block.SlotBoardView;
import io.kvbm.error.RemoteException;
import io.kvbm.layout.BlockLayout;
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
    private static final long BYTES_AT_ONCE = 1 << 20;

    private final SlotBoardView board;
    private final BlockMemory memory;
    private final ChecksumMode checksums;
    private final ReadStep.Watcher watcher;
    private final int blocksAtOnce;
    private volatile boolean closed;

    MappedLevel(SlotBoardView board, BlockMemory memory, ChecksumMode checksums, ReadStep.Watcher watcher) {
        this.board = board;
        this.memory = memory;
        this.checksums = checksums;
        this.watcher = watcher;
        this.blocksAtOnce = Math.clamp(BYTES_AT_ONCE / memory.layout().bytesPerBlock(), 1, MOST_BLOCKS_AT_ONCE);
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
     * @param goOn called every few blocks; throws where the read is to end
     * @throws RemoteException {@code TRANSPORT} where the memory is unmapped before the read has ended
     */
    ReadResult read(Wanted wanted, List<Pin> destinations, Runnable goOn) {
        int done = 0;
        while (done < wanted.size()) {
            goOn.run();
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
        ReadOutcome end = ReadOutcome.TAKEN;
        watcher.before(ReadStep.LOOK);
        int good = from;
        while (good < to && end == ReadOutcome.TAKEN) {
            end = wanted.look(board, good);
            good += end == ReadOutcome.TAKEN ? 1 : 0;
        }
        watcher.before(ReadStep.COPY);
        for (int i = from; i < good; i++) {
            copy(wanted.slot(i), destinations.get(i));
        }
        watcher.before(ReadStep.FENCE);
        SlotBoardView.fence();
        watcher.before(ReadStep.LOOK_AGAIN);
        for (int i = from; i < good; i++) {
            if (wanted.look(board, i) != ReadOutcome.TAKEN) {
                good = i;
                end = ReadOutcome.TORN;
            }
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

    private void copy(int slot, Pin destination) {
        BlockLayout to = destination.layout();
        requireSameShape(to);
        if (memory.layout().blockContiguous() && to.blockContiguous()) {
            MemoryCopy.copy(memory.block(slot), 0, destination.segment(), 0, to.bytesPerBlock());
            return;
        }
        for (int layer = 0; layer < to.numLayers(); layer++) {
            for (int outer = 0; outer < to.outerDim(); outer++) {
                MemoryCopy.copy(memory.part(slot, layer, outer), 0, destination.segment(layer, outer), 0,
                        to.regionSize());
            }
        }
    }

    /** A block of fewer bytes would be filled and taken for a whole one. */
    private void requireSameShape(BlockLayout to) {
        BlockLayout from = memory.layout();
        if (from.numLayers() != to.numLayers() || from.outerDim() != to.outerDim()
                || from.regionSize() != to.regionSize()) {
            throw new IllegalArgumentException("A block of " + from.config() + " is to be read into one of "
                    + to.config());
        }
    }

    private ReadOutcome compare(Wanted wanted, int i, Pin destination) {
        long generation = wanted.generation(i);
        if (generation < 0 || !checksums.isDue(wanted.slot(i), generation)) {
            return ReadOutcome.TAKEN;
        }
        OptionalInt expected = board.checksum(wanted.slot(i), generation);
        if (expected.isEmpty()) {
            return checksums == ChecksumMode.FULL ? ReadOutcome.UNCHECKED : ReadOutcome.TAKEN;
        }
        return expected.getAsInt() == BlockChecksum.of(destination) ? ReadOutcome.TAKEN : ReadOutcome.CORRUPT;
    }
}
