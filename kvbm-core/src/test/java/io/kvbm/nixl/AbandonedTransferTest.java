package io.kvbm.nixl;

import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Map;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.TransferControl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/** The agent that is read from does nothing for a while, as where its process is stopped: nothing arrives, and may later. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class AbandonedTransferTest {

    private static final Duration PATIENCE = Duration.ofSeconds(4);
    private static final Duration SHORT = Duration.ofMillis(200);
    private static final Duration LONG = Duration.ofSeconds(20);
    private static final int BLOCKS = 40;

    private final BlockMemory near = memory();
    private final BlockMemory far = memory();
    private final BlockSet mine = new BlockSet(near, 1, 1, CacheLevel.G2);
    private final BlockPool pool = BlockPool.builder(mine).build();
    private final BlockRanges ours = BlockRanges.of(mine);
    private final BlockRanges theirs = BlockRanges.of(new BlockSet(far, 1, 2, CacheLevel.G2));
    private final NixlAgent owner = InstalledNixl.library().createAgent(NixlAgentConfig.of("7.1"));
    private final NixlTransport reader = NixlTransport.start(InstalledNixl.library(),
            NixlAgentConfig.of("reader-that-gives-up"), "UCX", Map.of(), PATIENCE);
    private final RemoteAccess access;

    AbandonedTransferTest() {
        NixlBackend backend = owner.createBackend("UCX");
        backend.register(far.storages().getFirst().address(), far.storages().getFirst().size());
        reader.register(near.storages().getFirst());
        access = reader.connect(7, 1, owner.metadata());
        far.data(0).fill((byte) 7);
    }

    private static BlockMemory memory() {
        LayoutConfig config = LayoutConfig.builder()
                .numBlocks(BLOCKS)
                .numLayers(1)
                .pageSize(16)
                .innerDim(1 << 12)
                .build();
        return BlockMemory.allocate(config, LayoutType.FULLY_CONTIGUOUS, HostAllocator.create());
    }

    @AfterEach
    void close() {
        access.close();
        reader.close();
        owner.close();
        assertThat(pool.stats().holders()).isZero();
        pool.close();
        far.close();
    }

    private void read(int slot, Duration time) {
        try (BlockList<MutableBlock> block = pool.allocateBlocks(1)) {
            try (RemoteAccess.Move move = access.read(theirs, new int[]{slot}, ours, block)) {
                move.start(new byte[0], () -> {});
                move.await(new TransferControl(MonotonicClock.SYSTEM, time));
            }
            assertThat(block.getFirst().segment().toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
        }
    }

    private void giveUp(int slot) {
        assertThatExceptionOfType(TransferException.class).isThrownBy(() -> read(slot, SHORT))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(TransferException.Kind.DEADLINE_EXCEEDED));
    }

    private void wakeOwnerUntilNothingIsHeld() {
        await().atMost(LONG).pollInterval(Duration.ofMillis(1)).until(() -> {
            owner.takeNotifications();
            return reader.unfinished() == 0;
        });
    }

    @Test
    void blocksThatMayStillBeWrittenAreNotUsedAgainBeforeThatIsOverAndAreFew() {
        giveUp(0);
        giveUp(1);
        assertThat(reader.unfinished()).isEqualTo(2);
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS - 2);
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> read(2, SHORT))
                .withMessageContaining("2 blocks may still be moved")
                .satisfies(e -> assertThat(e.kind()).isEqualTo(RemoteException.Kind.BUSY));
        wakeOwnerUntilNothingIsHeld();
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS);
    }

    @Test
    void aWorkerThatIsLetGoMeanwhileIsLetGoWhenWhatItMayStillSendHasArrived() {
        giveUp(0);
        access.close();
        assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> read(1, SHORT));
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS - 1);
        wakeOwnerUntilNothingIsHeld();
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS);
    }

    @Test
    void blocksOfATransferThatNeverEndsComeBackWithAnotherAgent() {
        giveUp(0);
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS - 1);
        await().atMost(LONG).until(() -> reader.unfinished() == 0);
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS);
        Thread awake = Thread.ofPlatform().start(() -> {
            while (!Thread.currentThread().isInterrupted()) {
                owner.takeNotifications();
            }
        });
        try {
            read(1, LONG);
        } finally {
            awake.interrupt();
        }
    }

    @Test
    void whatHasNotEndedEndsWithTheAgent() {
        giveUp(0);
        access.close();
        reader.close();
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS);
    }
}
