package io.kvbm.pool;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongConsumer;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import io.kvbm.block.BlockSet;
import io.kvbm.error.PoolException;
import io.kvbm.error.StorageException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.Storage;
import io.kvbm.storage.StorageType;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

/** The operating system backs a part of a level and refuses the rest. */
@Timeout(10)
class RefusedMemoryTest {

    private final HalfBacked storage = new HalfBacked();

    @Test
    void whatThePoolWillNeverHaveIsNotWaitedFor() throws InterruptedException {
        try (BlockPool pool = pool()) {
            assertThat(pool.attainableBlocks()).isEqualTo(4);
            storage.refuse();

            assertThat(pool.attainableBlocks()).isEqualTo(2);
            pool.allocateBlocks(2).close();
            PoolException refused = catchThrowableOfType(PoolException.class,
                    () -> pool.allocateBlocks(3, Duration.ofHours(1)));
            assertThat(refused.kind()).isEqualTo(PoolException.Kind.REQUEST_TOO_LARGE);
            assertThat(refused).hasMessageContaining("has 2 in all").hasMessageContaining("refused memory");
        }
    }

    @Test
    void whoWaitsForThemAlreadyIsToldSo() throws InterruptedException {
        try (BlockPool pool = pool()) {
            CompletableFuture<PoolException> refused = new CompletableFuture<>();
            Thread waiting = Thread.ofVirtual()
                    .start(() -> refused.complete(catchThrowableOfType(PoolException.class,
                            () -> pool.allocateBlocks(3, Duration.ofHours(1)))));
            while (pool.stats().waiters() == 0) {
                Thread.onSpinWait();
            }
            storage.refuse();

            assertThat(refused.join().kind()).isEqualTo(PoolException.Kind.REQUEST_TOO_LARGE);
            waiting.join();
        }
    }

    private BlockPool pool() {
        BlockLayout layout = BlockLayout.of(
                LayoutConfig.builder().numBlocks(4).numLayers(1).pageSize(1).innerDim(64).build(),
                LayoutType.FULLY_CONTIGUOUS);
        return BlockPool.builder(new BlockSet(BlockMemory.over(layout, List.of(storage)), 1, 1, CacheLevel.G2)).build();
    }

    /** Storage of 512 bytes that gets 256 of them. */
    private static final class HalfBacked implements Storage {

        private final CompletableFuture<Void> reserved = new CompletableFuture<>();

        void refuse() {
            reserved.completeExceptionally(
                    new StorageException(StorageException.Kind.ALLOCATION_FAILED, "no more memory"));
        }

        @Override
        public StorageType type() {
            return new StorageType.Null();
        }

        @Override
        public long address() {
            return 0;
        }

        @Override
        public long size() {
            return 512;
        }

        @Override
        public MemorySegment segment() {
            throw new StorageException(StorageException.Kind.NOT_ACCESSIBLE, "no memory");
        }

        @Override
        public void onReserved(LongConsumer listener) {
            listener.accept(256);
        }

        @Override
        public CompletionStage<Void> reserved() {
            return reserved;
        }

        @Override
        public void close() {}
    }
}
