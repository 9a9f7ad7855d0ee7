package io.kvbm;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.error.LayoutException;
import io.kvbm.error.StorageException;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.LeakDetection;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.storage.Storage;
import io.kvbm.storage.StorageAllocator;
import io.kvbm.storage.StorageType;
import io.kvbm.transfer.Transfer;
import io.kvbm.transfer.TransferRequest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class KvBlockManagerTest {

    /** The reference's manager: 3 layers, pages of 4, inner dimension 16, FP16, 16 host blocks. */
    private static KvBlockManagerConfig.Builder config(long workerId, CancellationToken token) {
        return KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(workerId).cancellationToken(token).build())
                .model(KvManagerModelConfig.builder().numLayers(3).pageSize(4).innerDim(16).build())
                .leakDetection(LeakDetection.FULL)
                .hostLayout(level(16).allocator(HostAllocator.create()).build());
    }

    private static KvBlockManagerConfig.Builder config(long workerId) {
        return config(workerId, new CancellationToken());
    }

    private static KvManagerLayoutConfig.Builder level(int blocks) {
        return KvManagerLayoutConfig.builder().numBlocks(blocks);
    }

    /** Storage without memory that remembers whether it was closed, and is reserved when the test says so. */
    private static final class WatchedStorage implements Storage {

        private final long size;
        private final CompletableFuture<Void> reserved;
        private boolean closed;

        private WatchedStorage(long size, CompletableFuture<Void> reserved) {
            this.size = size;
            this.reserved = reserved;
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
            return size;
        }

        @Override
        public MemorySegment segment() {
            throw new StorageException(StorageException.Kind.NOT_ACCESSIBLE, "watched");
        }

        @Override
        public CompletionStage<Void> reserved() {
            return reserved;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    @Test
    @DisplayName("T2: constructs and closes with no runtime around")
    void blocking() {
        try (KvBlockManager manager = KvBlockManager.create(config(1337).build())) {
            assertThat(manager.workerId()).isEqualTo(1337);
            assertThat(manager.ready().toCompletableFuture()).isCompleted();
            BlockPool host = manager.host().orElseThrow();
            assertThat(host.totalBlocks()).isEqualTo(16);
            assertThat(host.availableBlocks()).isEqualTo(16);
            assertThat(host.blocks().number()).isEqualTo(KvBlockManager.HOST_BLOCK_SET).isOne();
            assertThat(host.blocks().ranges().getFirst().size()).isEqualTo(6144);
            assertThat(manager.device()).isEmpty();
            assertThat(manager.pools()).containsExactly(host);
            assertThat(manager.model().innerDim()).isEqualTo(16);
            assertThat(manager.toString()).contains("worker 1337");
        }
    }

    @Test
    @DisplayName("T1: constructs asynchronously and from a virtual thread")
    void asynchronous() throws Exception {
        KvBlockManager manager = KvBlockManager.createAsync(config(1).build())
                .toCompletableFuture()
                .get(30, TimeUnit.SECONDS);
        manager.close();
        CompletableFuture<KvBlockManager> made = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> made.complete(KvBlockManager.create(config(2).build())));
        made.get(30, TimeUnit.SECONDS).close();
        assertThatThrownBy(() -> KvBlockManager
                .createAsync(config(1).hostLayout(level(Integer.MAX_VALUE)
                        .allocator(HostAllocator.builder().shared(false).build())
                        .build()).build())
                .toCompletableFuture()
                .get(30, TimeUnit.SECONDS)).cause().isInstanceOf(LayoutException.class);
    }

    @Test
    @DisplayName("T3, D23: two managers have ids of their own and the same block set for the host level")
    void twoManagers() {
        try (KvBlockManager one = KvBlockManager.create(config(-1).build());
                KvBlockManager two = KvBlockManager.create(config(1338).build());
                BlockList<MutableBlock> blocks = one.host().orElseThrow().allocateBlocks(4);
                BlockList<MutableBlock> others = two.host().orElseThrow().allocateBlocks(4)) {
            assertThat(blocks.get(3).id()).hasToString("18446744073709551615/1/3");
            assertThat(others.get(3).id()).hasToString("1338/1/3");
            assertThat(one.toString()).contains("18446744073709551615");
            assertThat(one.fingerprint()).isNotEqualTo(two.fingerprint());
            others.forEach(block -> block.segment().fill((byte) (block.index() + 1)));
            one.transfers().execute(TransferRequest.put(others, blocks));
            assertThat(blocks.get(2).segment().get(ValueLayout.JAVA_BYTE, 383)).isEqualTo((byte) 3);
        }
    }

    @Test
    void aManagerWithoutLevelsIsLegal() throws Exception {
        KvBlockManagerConfig bare = KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(1).build())
                .model(KvManagerModelConfig.builder().numLayers(3).pageSize(4).innerDim(16).build())
                .build();
        try (KvBlockManager manager = KvBlockManager.create(bare)) {
            assertThat(manager.host()).isEmpty();
            assertThat(manager.pools()).isEmpty();
            assertThatThrownBy(() -> manager.open(new int[]{1}, "")).isInstanceOf(ConfigException.class)
                    .hasMessageContaining("host layout");
            assertThat(manager.drain(Duration.ZERO)).isTrue();
            assertThatThrownBy(() -> manager.open(new int[]{1}, "")).isInstanceOf(ClosedException.class);
        }
    }

    @Test
    @DisplayName("D10: without any network everything local works, in given storage as in allocated one")
    void givenStorage() {
        HostStorage storage = HostAllocator.create().allocate(6144);
        KvManagerLayoutConfig given = level(16).storage(List.of(storage)).build();
        try (KvBlockManager manager = KvBlockManager.create(config(1).hostLayout(given).build());
                KvSequence sequence = manager.open(new int[]{1, 2, 3, 4, 5}, "")) {
            sequence.computed(5);
            assertThat(manager.host().orElseThrow().stats().registrations()).isOne();
        }
        assertThat(storage.segment().scope().isAlive()).isFalse();
    }

    @Test
    void aFailedConstructionKeepsNothing() {
        List<WatchedStorage> made = new ArrayList<>();
        StorageAllocator<WatchedStorage> allocator = size -> {
            made.add(new WatchedStorage(size, CompletableFuture.completedFuture(null)));
            return made.getLast();
        };
        CancellationToken token = new CancellationToken();
        KvManagerLayoutConfig tooMany = level(BlockPool.MAX_BLOCKS + 1).allocator(allocator).build();
        assertThatThrownBy(() -> new KvBlockManager(config(1, token).hostLayout(tooMany).build()))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("over the limit");
        assertThat(made).singleElement().matches(storage -> storage.closed);
        assertThat(token.actions()).isZero();
        WatchedStorage given = new WatchedStorage(Long.MAX_VALUE, CompletableFuture.completedFuture(null));
        KvManagerLayoutConfig over = level(BlockPool.MAX_BLOCKS + 1).storage(List.of(given)).build();
        assertThatThrownBy(() -> new KvBlockManager(config(1, token).hostLayout(over).build()))
                .isInstanceOf(ConfigException.class);
        assertThat(given.closed).isFalse();
        assertThatThrownBy(() -> new KvBlockManager(
                config(1, token).hostLayout(level(1).storage(List.of()).build()).build()))
                .isInstanceOf(LayoutException.class);
        assertThat(token.actions()).isZero();
    }

    @Test
    void memoryThatFailsLaterIsSaidByReadyAndThrownByCreate() {
        CompletableFuture<Void> reserved = new CompletableFuture<>();
        List<WatchedStorage> made = new ArrayList<>();
        KvManagerLayoutConfig level = level(4).allocator(size -> {
            made.add(new WatchedStorage(size, reserved));
            return made.getLast();
        }).build();
        KvBlockManager manager = new KvBlockManager(config(1).hostLayout(level).build());
        assertThat(manager.ready().toCompletableFuture()).isNotDone();
        reserved.completeExceptionally(new StorageException(StorageException.Kind.ALLOCATION_FAILED, "no more"));
        assertThatThrownBy(() -> manager.ready().toCompletableFuture().join()).isInstanceOf(CompletionException.class)
                .cause()
                .isInstanceOf(StorageException.class);
        manager.close();
        assertThatThrownBy(() -> KvBlockManager.create(config(1).hostLayout(level).build()))
                .hasMessage("no more")
                .asInstanceOf(type(StorageException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(StorageException.Kind.ALLOCATION_FAILED));
        assertThat(made).hasSize(2).allMatch(storage -> storage.closed);
    }

    @ParameterizedTest
    @EnumSource
    void aManagerWorksWhileItsMemoryIsBeingReserved(LayoutType type) {
        KvManagerLayoutConfig level = level(200_000).layoutType(type)
                .allocator(HostAllocator.builder().backgroundFrom(1 << 20).build())
                .build();
        try (KvBlockManager manager = new KvBlockManager(config(1).hostLayout(level).build())) {
            manager.ready().toCompletableFuture().orTimeout(60, TimeUnit.SECONDS).join();
            BlockPool host = manager.host().orElseThrow();
            assertThat(host.stats().usable()).isEqualTo(200_000);
            assertThat(host.availableBlocks()).isEqualTo(200_000);
        }
        KvBlockManager early = new KvBlockManager(config(1).hostLayout(level).build());
        early.close();
        assertThat(early.ready().toCompletableFuture()).isDone();
    }

    @Test
    @DisplayName("MGR-2: handles stay readable after close and the memory goes with the last of them")
    void lifetime() {
        KvBlockManager manager = KvBlockManager.create(config(1).build());
        KvSequence sequence = manager.open(new int[]{1, 2, 3, 4, 5}, "");
        sequence.blocks().getFirst().segment().fill((byte) 9);
        sequence.computed(4);
        ImmutableBlock block = ((ImmutableBlock) sequence.blocks().getFirst()).share();
        MemorySegment memory = block.segment();
        manager.close();
        manager.close();
        assertThat(sequence.blocks().getFirst().segment().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 9);
        assertThatThrownBy(sequence::fork).isInstanceOf(ClosedException.class);
        sequence.close();
        assertThat(memory.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 9);
        block.close();
        assertThat(memory.scope().isAlive()).isFalse();
    }

    @Test
    void drainingWaitsForOpenHandlesAndRefusesNewSequences() throws Exception {
        try (KvBlockManager manager = KvBlockManager.create(config(1).build())) {
            KvSequence sequence = manager.open(new int[]{1, 2, 3}, "");
            assertThat(manager.drain(Duration.ofMillis(20))).isFalse();
            assertThatThrownBy(() -> manager.open(new int[]{1}, "")).isInstanceOf(ClosedException.class)
                    .hasMessageContaining("worker 1");
            sequence.append(4);
            Thread closer = Thread.ofVirtual().start(sequence::close);
            assertThat(manager.drain(Duration.ofSeconds(Long.MAX_VALUE))).isTrue();
            closer.join();
            assertThat(manager.stats().openSequences()).isZero();
        }
    }

    @Test
    @DisplayName("D11: closing a manager does not cancel the caller's token, and forgets it")
    void callersToken() {
        CancellationToken token = new CancellationToken();
        AtomicBoolean told = new AtomicBoolean();
        token.onCancel(() -> told.set(true));
        for (int i = 0; i < 50; i++) {
            KvBlockManager.create(config(1, token).build()).close();
        }
        assertThat(token.isCancelled()).isFalse();
        assertThat(told).isFalse();
        assertThat(token.actions()).isOne();
    }

    @Test
    @DisplayName("MGR-1: cancelling the caller's token closes the manager")
    void cancelledFromOutside() {
        CancellationToken token = new CancellationToken();
        KvBlockManager manager = KvBlockManager.create(config(1, token).build());
        KvBlockManager second = KvBlockManager.create(config(2, token).build());
        MemorySegment memory = memory(manager);
        token.cancel();
        assertThatThrownBy(() -> manager.open(new int[]{1}, "")).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> second.open(new int[]{1}, "")).isInstanceOf(ClosedException.class);
        assertThat(memory.scope().isAlive()).isFalse();
        manager.close();
        KvBlockManager late = new KvBlockManager(config(3, token).build());
        assertThatThrownBy(() -> late.open(new int[]{1}, "")).isInstanceOf(ClosedException.class);
    }

    @Test
    void everythingIsRefusedAfterClose() {
        KvBlockManager manager = KvBlockManager.create(config(1).build());
        BlockPool host = manager.host().orElseThrow();
        BlockList<MutableBlock> blocks = host.allocateBlocks(2);
        manager.close();
        assertThatThrownBy(() -> manager.open(new int[]{1}, "")).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> manager.open(new int[]{1}, "", Duration.ofSeconds(1)))
                .isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> host.allocateBlocks(1)).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> manager.transfers()
                .submit(TransferRequest.put(blocks.subList(0, 1), blocks.subList(1, 2))))
                .isInstanceOf(ClosedException.class);
        blocks.close();
        assertThat(host.stats().holders()).isZero();
    }

    @Test
    void aCallerThatWaitsForBlocksIsToldOfTheClose() throws Exception {
        KvBlockManager manager = KvBlockManager.create(config(1).build());
        KvSequence all = manager.open(new int[64], "");
        CompletableFuture<Throwable> waited = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                manager.open(new int[]{1}, "", Duration.ofMinutes(1)).close();
                waited.complete(new AssertionError("opened"));
            } catch (RuntimeException | InterruptedException e) {
                waited.complete(e);
            }
        });
        org.awaitility.Awaitility.await().until(() -> manager.host().orElseThrow().stats().waiters() == 1);
        manager.close();
        assertThat(waited.get(30, TimeUnit.SECONDS)).isInstanceOf(ClosedException.class);
        all.close();
        assertThat(manager.host().orElseThrow().stats().holders()).isZero();
    }

    @Test
    void aFailureWhileClosingDoesNotKeepTheRest() {
        HostStorage storage = HostAllocator.create().allocate(6144);
        storage.registrations().register("broken", () -> () -> {
            throw new IllegalStateException("not released");
        });
        CancellationToken token = new CancellationToken();
        KvBlockManager manager = KvBlockManager.create(
                config(1, token).hostLayout(level(16).storage(List.of(storage)).build()).build());
        assertThatThrownBy(manager::close).hasMessage("not released");
        assertThat(storage.segment().scope().isAlive()).isFalse();
        assertThatThrownBy(() -> manager.events().subscribe("late", new io.kvbm.event.EventListener() {
            @Override
            public void onEvents(long firstSequence, List<io.kvbm.event.KvEvent> events) {}

            @Override
            public void onGap(long expected, long next) {}
        })).isInstanceOf(ClosedException.class);
        assertThat(token.actions()).isZero();
        manager.close();
    }

    @Test
    void theClockAndTheLimitOfTransfersAreTheConfigurations() {
        AtomicLong now = new AtomicLong();
        try (KvBlockManager manager = KvBlockManager.create(config(1).clock(() -> now.getAndAdd(1_000_000_000L))
                .transferTimeout(Duration.ofMillis(500))
                .build()); BlockList<MutableBlock> blocks = manager.host().orElseThrow().allocateBlocks(2)) {
            Transfer late = manager.transfers()
                    .submit(TransferRequest.put(blocks.subList(0, 1), blocks.subList(1, 2)));
            assertThatThrownBy(late::join).hasMessageContaining("PT0.5S");
        }
    }

    @Test
    @DisplayName("MGR-2: managers that are closed while sequences of many threads go on lose nothing")
    void closingUnderLoad() throws Exception {
        for (int round = 0; round < 20; round++) {
            KvBlockManager manager = KvBlockManager.create(config(1).build());
            MemorySegment memory = memory(manager);
            CountDownLatch opened = new CountDownLatch(4);
            List<Thread> threads = new ArrayList<>();
            List<Throwable> unexpected = java.util.Collections.synchronizedList(new ArrayList<>());
            for (int t = 0; t < 4; t++) {
                int first = t;
                threads.add(Thread.ofPlatform().start(() -> {
                    opened.countDown();
                    try {
                        for (int i = 0; i < 100_000; i++) {
                            try (KvSequence sequence = manager.open(new int[]{first, i & 7, 3, 4, 5}, "")) {
                                sequence.blocks().getLast().segment().fill((byte) i);
                                sequence.computed(5);
                            }
                        }
                    } catch (ClosedException e) {
                        return;
                    } catch (RuntimeException | Error e) {
                        unexpected.add(e);
                    }
                }));
            }
            opened.await();
            manager.close();
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(unexpected).isEmpty();
            assertThat(manager.host().orElseThrow().stats().holders()).isZero();
            assertThat(memory.scope().isAlive()).isFalse();
        }
    }

    private static MemorySegment memory(KvBlockManager manager) {
        try (BlockList<MutableBlock> one = manager.host().orElseThrow().allocateBlocks(1)) {
            return one.getFirst().segment();
        }
    }
}
