package io.kvbm.remote;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.PinList;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.TransferControl;

import static org.assertj.core.api.Assertions.assertThat;

/** Five blocks of 4 MiB, which are read in three parts, of memory that lies in this process. */
class LeasedReadTest {

    private static final int BLOCKS = 5;
    private static final Duration TIME = Duration.ofSeconds(1);

    private final ManualClock clock = new ManualClock();
    private final BlockMemory memory = BlockMemory.allocate(LayoutConfig.builder()
            .numBlocks(2 * BLOCKS)
            .numLayers(1)
            .pageSize(1)
            .innerDim(2 << 20)
            .build(), LayoutType.FULLY_CONTIGUOUS, HostAllocator.create());
    private final BlockSet set = new BlockSet(memory, 1, 1, CacheLevel.G2);
    private final BlockPool pool = BlockPool.builder(set).build();
    private final BlockRanges ranges = BlockRanges.of(set);
    private final BlockList<MutableBlock> sources = pool.allocateBlocks(BLOCKS);
    private final BlockList<MutableBlock> copies = pool.allocateBlocks(BLOCKS);
    private final int[] slots = sources.stream().mapToInt(MutableBlock::index).toArray();
    private final int[] checksums;
    private final List<String> done = new ArrayList<>();
    private int late = -1;

    LeasedReadTest() {
        for (int i = 0; i < BLOCKS; i++) {
            sources.get(i).segment().fill((byte) (i + 1));
        }
        try (PinList pins = PinList.of(sources)) {
            checksums = pins.stream().mapToInt(BlockChecksum::of).toArray();
        }
    }

    @AfterEach
    void nothingIsHeld() {
        sources.close();
        copies.close();
        assertThat(pool.stats().holders()).isZero();
        pool.close();
    }

    /** Copies when it is started, and says what was done. */
    private final class Access implements RemoteAccess {

        @Override
        public Move read(BlockRanges from, int[] which, BlockRanges to, List<? extends BlockHandle> blocks) {
            int part = which[0];
            return new Move() {

                @Override
                public void start(byte[] told, Runnable unmoved) {
                    done.add("start " + part + " of " + which.length + (told.length > 0 ? " with words" : ""));
                    try (PinList pins = PinList.of(blocks)) {
                        for (int i = 0; i < which.length; i++) {
                            MemorySegment.copy(memory.block(which[i]), 0, pins.get(i).segment(), 0,
                                    pins.get(i).segment().byteSize());
                        }
                    }
                }

                @Override
                public void await(TransferControl control) {
                    done.add("await " + part);
                    if (part == late) {
                        clock.pass(TIME);
                    }
                    control.check();
                }

                @Override
                public void close() {
                    done.add("close " + part);
                }
            };
        }

        @Override
        public Move write(BlockRanges to, int[] which, BlockRanges from, List<? extends BlockHandle> blocks) {
            throw new AssertionError("Nothing is written here");
        }

        @Override
        public void close() {}
    }

    private ReadResult read(boolean arrives) {
        LeasedRead read = new LeasedRead(new Access(), ranges, slots, checksums, ranges, copies, new byte[1]);
        ReadResult result = read.run(new TransferControl(clock, TIME));
        assertThat(read.hasArrived()).isEqualTo(arrives);
        return result;
    }

    @Test
    void eachPartIsComparedWhileTheNextIsOnItsWayAndTheLastBringsTheWords() {
        assertThat(read(true)).isEqualTo(new ReadResult(BLOCKS, ReadOutcome.TAKEN));
        for (int i = 0; i < BLOCKS; i++) {
            assertThat(copies.get(i).segment().mismatch(sources.get(i).segment())).isEqualTo(-1);
        }
        assertThat(done).containsExactly("start 0 of 2", "await 0", "start 2 of 2", "close 0", "await 2",
                "start 4 of 1 with words", "close 2", "await 4", "close 4");
    }

    @Test
    void whatWasComparedCountsThoughALaterPartIsLate() {
        late = 2;
        assertThat(read(false)).isEqualTo(new ReadResult(2, ReadOutcome.LATE));
        assertThat(done).endsWith("await 2", "close 2");
    }

    @Test
    void aBlockThatIsNotAsItShouldBeEndsTheReadAndWhatIsOnItsWayIsNotWaitedFor() {
        checksums[1]++;
        assertThat(read(false)).isEqualTo(new ReadResult(1, ReadOutcome.CORRUPT));
        assertThat(done).containsExactly("start 0 of 2", "await 0", "start 2 of 2", "close 0", "close 2");
    }

    @Test
    void aWrongBlockOfTheLastPartIsFound() {
        checksums[4]++;
        assertThat(read(true)).isEqualTo(new ReadResult(4, ReadOutcome.CORRUPT));
    }
}
