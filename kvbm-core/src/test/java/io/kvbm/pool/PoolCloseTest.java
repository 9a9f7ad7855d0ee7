package io.kvbm.pool;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.block.PinList;
import io.kvbm.error.ClosedException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.NullStorage;
import io.kvbm.storage.Storage;
import io.kvbm.storage.StorageType;
import io.kvbm.token.TokenBlock;

import static io.kvbm.pool.Content.blocks;
import static io.kvbm.pool.Content.hashes;
import static io.kvbm.pool.Content.register;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

/** What open handles and new calls meet when their pool is closed. */
class PoolCloseTest {

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();
    private final AtomicInteger frees = new AtomicInteger();

    /** A pool over memory that counts how often it is freed. */
    private BlockPool counted(int blocks) {
        BlockLayout layout = BlockLayout.of(PoolSubject.layout(blocks, 4), LayoutType.FULLY_CONTIGUOUS);
        Storage storage = new CountedStorage(NullStorage.ofSize(layout.requiredAllocation()), frees);
        return subject.track(BlockPool.builder(PoolSubject.blocksOver(layout, storage))
                .leakDetection(LeakDetection.FULL));
    }

    @Test
    @Timeout(30)
    void theLastListUnderANetFreesTheMemoryOutsideOfTheLock() {
        BlockLayout layout = BlockLayout.of(PoolSubject.layout(4, 4), LayoutType.FULLY_CONTIGUOUS);
        BlockPool[] pool = new BlockPool[1];
        // as memory does that is still being reserved, whose reserver tells the pool of the end
        Storage storage = new ClosingStorage(NullStorage.ofSize(layout.requiredAllocation()), () -> {
            Thread reserver = Thread.ofPlatform().start(() -> {
                var _ = pool[0].stats();
            });
            reserver.join();
        });
        pool[0] = subject.track(BlockPool.builder(PoolSubject.blocksOver(layout, storage))
                .leakDetection(LeakDetection.FULL));
        BlockList<MutableBlock> blocks = pool[0].allocateBlocks(2);
        PinList pins = PinList.of(blocks);
        pool[0].close();
        blocks.close();
        pins.close();
        assertThat(pool[0].stats().holders()).isZero();
    }

    /** Does something that takes its time when it is closed. */
    private record ClosingStorage(Storage memory, Closing closing) implements Storage {

        interface Closing {

            void run() throws InterruptedException;
        }

        @Override
        public StorageType type() {
            return memory.type();
        }

        @Override
        public long address() {
            return memory.address();
        }

        @Override
        public long size() {
            return memory.size();
        }

        @Override
        public MemorySegment segment() {
            return memory.segment();
        }

        @Override
        public void close() {
            try {
                closing.run();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @Test
    void memoryGoesWithTheLastHandleAndOnce() {
        BlockPool pool = counted(4);
        BlockList<ImmutableBlock> shared = register(pool, blocks(1, 2));
        MutableBlock mutable = pool.allocateBlocks(1).getFirst();
        Pin pin = shared.getFirst().pin();
        ImmutableBlock share = shared.get(1).share();
        pool.close();
        pool.close();
        mutable.close();
        shared.close();
        share.close();
        assertThat(frees).hasValue(0);
        pin.close();
        assertThat(frees).hasValue(1);
        pin.close();
        shared.close();
        mutable.close();
        pool.close();
        assertThat(frees).hasValue(1);
        assertThat(pool.stats().free()).isEqualTo(4);
    }

    @Test
    void memoryOfAnIdlePoolGoesAtOnce() {
        BlockPool pool = counted(4);
        register(pool, blocks(1, 2)).close();
        pool.close();
        assertThat(frees).hasValue(1);
        pool.close();
        assertThat(frees).hasValue(1);
    }

    @Test
    void memoryIsFreedOnceWhereTheLastHandlesAreClosedTogether() throws InterruptedException {
        for (int round = 0; round < 300; round++) {
            frees.set(0);
            BlockPool pool = counted(3);
            BlockList<MutableBlock> handles = pool.allocateBlocks(3);
            CountDownLatch start = new CountDownLatch(1);
            List<Thread> threads = new ArrayList<>();
            for (AutoCloseable closing : List.of(pool, handles.get(0), handles.get(1), handles.get(2), handles)) {
                threads.add(Thread.ofVirtual().start(() -> {
                    try {
                        start.await();
                        closing.close();
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                }));
            }
            start.countDown();
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(frees).hasValue(1);
        }
    }

    @Test
    void everyNewRequestIsRefused() {
        BlockPool pool = subject.pool(4);
        List<TokenBlock> content = blocks(1, 1);
        MutableBlock mutable = pool.allocateBlocks(1).getFirst();
        mutable.applyTokenBlock(content.getFirst());
        pool.close();
        assertClosed(() -> pool.allocateBlocks(1));
        assertClosed(() -> pool.allocateBlocks(0));
        assertClosed(() -> pool.allocateBlocks(1, Duration.ZERO));
        assertClosed(() -> pool.registerBlocks(List.of(mutable)));
        assertClosed(() -> pool.matchSequenceHashes(hashes(content)));
        assertClosed(() -> pool.matchSequenceHashes());
        assertClosed(() -> pool.registerBlocks(List.of()));
        assertClosed(pool::clear);
        assertThat(mutable.isClosed()).isFalse();
        mutable.close();
        assertThat(pool.availableBlocks()).isEqualTo(4);
    }

    private static void assertClosed(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatExceptionOfType(ClosedException.class).isThrownBy(call);
    }

    @Test
    void openHandlesStayReadableAndCanStillBeShared() {
        BlockPool pool = subject.track(BlockPool.builder(PoolSubject.hostBlocks(3, 4)));
        BlockList<MutableBlock> filled = pool.allocateBlocks(1);
        filled.getFirst().segment().fill((byte) 7);
        filled.getFirst().applyTokenBlock(blocks(1, 1).getFirst());
        ImmutableBlock block = pool.registerBlocks(filled).getFirst();
        pool.close();
        ImmutableBlock share = block.share();
        Pin pin = block.pin();
        block.close();
        assertThat(share.segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 7);
        assertThat(share.segment().isReadOnly()).isTrue();
        MemorySegment memory = pin.segment();
        share.close();
        assertThat(memory.get(ValueLayout.JAVA_BYTE, memory.byteSize() - 1)).isEqualTo((byte) 7);
        pin.close();
        assertThatIllegalStateException().isThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0));
    }

    @Test
    void handleThatIsClosedRefusesEverythingButClose() {
        BlockPool pool = subject.pool(2);
        BlockList<ImmutableBlock> list = register(pool, blocks(1, 1));
        ImmutableBlock block = list.getFirst();
        block.close();
        block.close();
        list.close();
        assertThat(block.isClosed()).isTrue();
        assertClosed(block::share);
        assertClosed(block::pin);
        assertClosed(block::segment);
        assertClosed(() -> block.segment(0, 0));
        assertClosed(block::sequenceHash);
        assertClosed(block::blockHash);
        assertClosed(block::generation);
        assertClosed(block::metadata);
        assertThat(block.index()).isZero();
        assertThat(block).hasToString("ImmutableBlock[1337/1/0, closed]");
    }

    @Test
    void useThatMeetsACloseDoesNotReachTheNextHolder() throws InterruptedException {
        BlockPool pool = subject.pool(1);
        MutableBlock block = pool.allocateBlocks(1).getFirst();
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        MutableBlock next;
        Thread late;
        pool.lock.lock();
        try {
            late = Thread.ofPlatform().uncaughtExceptionHandler((_, e) -> thrown.set(e)).start(() -> block.priority(9));
            await().until(() -> pool.lock.hasQueuedThread(late));
            block.close();
            next = pool.allocateBlocks(1).getFirst();
        } finally {
            pool.lock.unlock();
        }
        late.join();
        assertThat(thrown.get()).isInstanceOf(ClosedException.class);
        assertThat(next.metadata().priority()).isZero();
        next.close();
    }

    @Test
    void pinsOfSeveralPoolsAreTakenAndEndedTogether() {
        BlockPool pool = subject.pool(3);
        BlockPool other = subject.pool(3);
        BlockList<MutableBlock> a = pool.allocateBlocks(2);
        BlockList<MutableBlock> b = other.allocateBlocks(1);
        List<MutableBlock> mixed = List.of(a.get(0), b.get(0), a.get(1), a.get(1));
        PinList pins = PinList.of(mixed);
        assertThat(pins).extracting(Pin::id).isEqualTo(mixed.stream().map(MutableBlock::id).toList());
        a.close();
        b.close();
        pins.get(3).close();
        pool.close();
        assertThat(pool.stats().holders()).isEqualTo(2);
        assertThat(other.stats().holders()).isEqualTo(1);
        pins.close();
        pins.close();
        assertThat(pool.stats().holders()).isZero();
        assertThat(other.availableBlocks()).isEqualTo(3);
        assertThat(PinList.of(List.of())).isEmpty();
    }

    @Test
    void listWithAClosedBlockPinsNone() {
        BlockPool pool = subject.pool(3);
        BlockPool other = subject.pool(3);
        try (BlockList<MutableBlock> a = pool.allocateBlocks(2); BlockList<MutableBlock> b = other.allocateBlocks(2)) {
            b.get(1).close();
            assertClosed(() -> PinList.of(List.of(a.get(0), a.get(1), b.get(0), b.get(1))));
            assertThat(pool.stats().holders()).isEqualTo(2);
            assertThat(other.stats().holders()).isEqualTo(1);
        }
    }

    @Test
    void anOwnerHasNoPowerOverForeignHandles() {
        BlockPool pool = subject.pool(2);
        BlockPool other = subject.pool(2);
        try (BlockList<MutableBlock> handles = pool.allocateBlocks(2)) {
            BlockHandle[] stolen = {handles.get(0), handles.get(1)};
            assertThatIllegalStateException().isThrownBy(() -> other.closeAll(List.of(stolen)));
            assertThat(handles).noneMatch(BlockHandle::isClosed);
            assertThat(pool.stats().holders()).isEqualTo(2);
            assertThat(other.stats().holders()).isZero();
        }
    }

    @Test
    void partOfAListThatWasClosedIsNotClosedAgain() {
        BlockPool pool = subject.pool(5);
        BlockList<MutableBlock> list = pool.allocateBlocks(5);
        list.get(1).close();
        list.get(3).close();
        BlockList<MutableBlock> others = pool.allocateBlocks(2);
        list.close();
        list.close();
        assertThat(others).noneMatch(BlockHandle::isClosed);
        assertThat(pool.stats().holders()).isEqualTo(2);
        others.close();
    }

    @Test
    void awaitIdleEndsWithTheLastHold() throws InterruptedException {
        BlockPool pool = subject.pool(2);
        assertThat(pool.awaitIdle(Duration.ZERO)).isTrue();
        MutableBlock block = pool.allocateBlocks(1).getFirst();
        assertThat(pool.awaitIdle(Duration.ofMillis(1))).isFalse();
        Pin pin = block.pin();
        block.close();
        Thread closer = Thread.ofVirtual().start(pin::close);
        assertThat(pool.awaitIdle(Duration.ofSeconds(Long.MAX_VALUE))).isTrue();
        closer.join();
    }

    private record CountedStorage(NullStorage storage, AtomicInteger frees) implements Storage {

        @Override
        public StorageType type() {
            return storage.type();
        }

        @Override
        public long address() {
            return storage.address();
        }

        @Override
        public long size() {
            return storage.size();
        }

        @Override
        public MemorySegment segment() {
            return storage.segment();
        }

        @Override
        public void close() {
            frees.incrementAndGet();
        }
    }
}
