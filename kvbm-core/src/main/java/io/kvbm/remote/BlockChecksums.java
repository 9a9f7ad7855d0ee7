package io.kvbm.remote;

import java.util.List;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.SlotBoard;
import io.kvbm.block.SlotBoardView;
import io.kvbm.event.EventListener;
import io.kvbm.event.KvEvent;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;

/**
 * Computes the checksums of blocks behind their registration, for those who read them in other processes. It holds no
 * block meanwhile: as any other reader it looks at the board before and after, and states nothing of content that went
 * in between.
 */
public final class BlockChecksums implements EventListener {

    private final CacheLevel level;
    private final BlockMemory memory;
    private final SlotBoard board;
    private final ChecksumMode mode;

    /** Computes them for the blocks of one level; listens to the events of its pool. */
    public BlockChecksums(CacheLevel level, BlockMemory memory, SlotBoard board, ChecksumMode mode) {
        this.level = level;
        this.memory = memory;
        this.board = board;
        this.mode = mode;
    }

    @Override
    public void onEvents(long firstSequence, List<KvEvent> events) {
        for (KvEvent event : events) {
            if (event instanceof KvEvent.Stored stored && stored.level() == level) {
                stored.blocks().forEach(block -> unlessClosed(() -> compute(block.slot(), block.generation())));
            }
        }
    }

    /** What was stored meanwhile is on the board. */
    @Override
    public void onGap(long expected, long next) {
        unlessClosed(() -> {
            for (int slot = 0; slot < board.slots(); slot++) {
                compute(slot, board.generation(slot));
            }
        });
    }

    private static void unlessClosed(Runnable work) {
        try {
            work.run();
        } catch (IllegalStateException _) {
            // the pool was closed meanwhile: its memory is gone, and nobody finds the block any more
        }
    }

    private void compute(int slot, long generation) {
        if (!mode.isDue(slot, generation) || !board.holds(slot, generation) || board.isChecked(slot, generation)) {
            return;
        }
        int crc = BlockChecksum.of(memory, slot);
        SlotBoardView.fence();
        if (board.holds(slot, generation)) {
            board.checksum(slot, generation, crc);
        }
    }
}
