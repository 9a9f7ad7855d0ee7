package io.kvbm.remote;

import java.util.List;
import java.util.OptionalInt;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.Pin;
import io.kvbm.block.SlotBoardView;
import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.MemoryCopy;
import io.kvbm.transfer.TransferControl;

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
     * @param control whether to go on; looked at every few blocks
     */
    ReadResult read(Wanted wanted, List<Pin> destinations, TransferControl control) {
        int done = 0;
        while (done < wanted.size()) {
            control.check();
            int to = Math.min(done + blocksAtOnce, wanted.size());
            ReadResult some = readSome(wanted, done, to, destinations);
            done += some.blocks();
            if (some.end() != ReadOutcome.TAKEN) {
                return new ReadResult(done, some.end());
            }
        }
        return new ReadResult(done, ReadOutcome.TAKEN);
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
