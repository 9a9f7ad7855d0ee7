package io.kvbm.transfer;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.PoolException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.storage.StorageType;

import static io.kvbm.transfer.BlockFixture.fill;
import static io.kvbm.transfer.BlockFixture.holds;
import static io.kvbm.transfer.BlockFixture.isZero;
import static io.kvbm.transfer.BlockFixture.list;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;
import static org.awaitility.Awaitility.await;

class TransferDispatcherTest {

    private final TransferDispatcher plain = TransferDispatcher.builder().build();
    private final List<AutoCloseable> resources = new ArrayList<>(List.of(plain));
    private final List<BlockPool> pools = new ArrayList<>();
    private final BlockPool pool = kept(BlockFixture.pool(0));
    private final BlockPool other = kept(BlockFixture.pool(1));
    private final BlockList<MutableBlock> own = kept(pool.allocateBlocks(4));
    private final BlockList<MutableBlock> others = kept(other.allocateBlocks(4));

    private <T extends AutoCloseable> T kept(T resource) {
        resources.add(resource);
        if (resource instanceof BlockPool opened) {
            pools.add(opened);
        }
        return resource;
    }

    @AfterEach
    void nothingIsLeftOpen() throws Exception {
        for (AutoCloseable resource : resources.reversed()) {
            resource.close();
        }
        for (BlockPool opened : pools) {
            await().untilAsserted(() -> assertThat(opened.stats().holders()).isZero());
        }
    }

    private static void assertKind(TransferException.Kind kind, String part, ThrowingCallable call) {
        assertThatThrownBy(call).hasMessageContaining(part)
                .asInstanceOf(type(TransferException.class))
                .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
    }

    /** An engine that says when it has started and goes on when it is told to. */
    private static final class GatedEngine implements TransferEngine {

        private final CountDownLatch started = new CountDownLatch(1);
        private final CountDownLatch gate = new CountDownLatch(1);
        private final TransferEngine copy = new HostCopyEngine();

        @Override
        public boolean supports(TransferStrategy strategy) {
            return strategy == TransferStrategy.MEMCPY;
        }

        @Override
        public void transfer(TransferPlan plan, TransferControl control) {
            started.countDown();
            try {
                assertThat(gate.await(30, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            copy.transfer(plan, control);
        }
    }

    @Test
    @DisplayName("14.2 step 2 on one host: the bytes of one manager's blocks are readable in the other's")
    void betweenPools() {
        for (int i = 0; i < 4; i++) {
            fill(others.get(i), i);
        }
        plain.execute(TransferRequest.put().from(others).to(own).build());
        for (int i = 0; i < 4; i++) {
            assertThat(holds(own.get(i), i)).isTrue();
        }
        assertThat(pool.stats().holders()).isEqualTo(4);
    }

    @Test
    @DisplayName("14.2 step 4: the second half of four blocks is put into the first half")
    void halves() {
        for (int i = 0; i < 4; i++) {
            fill(others.get(i), 10 + i);
        }
        plain.execute(TransferRequest.put(others.subList(2, 4), others.subList(0, 2)));
        assertThat(holds(others.get(0), 12)).isTrue();
        assertThat(holds(others.get(1), 13)).isTrue();
        assertThat(holds(others.get(2), 12)).isTrue();
        assertThat(holds(others.get(3), 13)).isTrue();
    }

    @Test
    void aSourceThatIsNamedTwiceArrivesTwice() {
        ImmutableBlock source = kept(BlockFixture.registered(other, 77));
        plain.execute(TransferRequest.put(List.of(source, source), list(own, 0, 1)));
        assertThat(holds(own.get(0), 77)).isTrue();
        assertThat(holds(own.get(1), 77)).isTrue();
        assertThat(isZero(own.get(2), 0)).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"FULLY_CONTIGUOUS, LAYER_SEPARATE", "FULLY_CONTIGUOUS, LAYER_SEPARATE_OUTER_FIRST",
        "LAYER_SEPARATE, FULLY_CONTIGUOUS", "LAYER_SEPARATE, LAYER_SEPARATE_OUTER_FIRST",
        "LAYER_SEPARATE_OUTER_FIRST, FULLY_CONTIGUOUS", "LAYER_SEPARATE_OUTER_FIRST, LAYER_SEPARATE",
        "FULLY_CONTIGUOUS, FULLY_CONTIGUOUS", "LAYER_SEPARATE, LAYER_SEPARATE"})
    void layoutsAreConverted(LayoutType from, LayoutType to) {
        LayoutConfig config = BlockFixture.small().build();
        BlockPool source = kept(BlockFixture.pool(config, from, 2));
        BlockPool destination = kept(
                BlockFixture.pool(BlockFixture.small().alignment(256).numBlocks(5).build(), to, 3));
        BlockList<MutableBlock> a = kept(source.allocateBlocks(4));
        BlockList<MutableBlock> b = kept(destination.allocateBlocks(5));
        for (int i = 0; i < 4; i++) {
            fill(a.get(i), i);
        }
        for (int i = 0; i < 5; i++) {
            fill(b.get(i), 100 + i);
        }
        plain.execute(TransferRequest.put(a, list(b, 4, 2, 0, 1)));
        int[] at = {4, 2, 0, 1};
        for (int i = 0; i < 4; i++) {
            assertThat(holds(b.get(at[i]), i)).as("block %d", i).isTrue();
        }
        assertThat(holds(b.get(3), 103)).isTrue();
        plain.execute(TransferRequest.put().from(list(b, 3)).to(list(a, 0)).layers(1, 2).build());
        assertThat(holds(a.get(0), 0, 0)).isTrue();
        assertThat(holds(a.get(0), 103, 1)).isTrue();
        assertThat(holds(a.get(0), 0, 2)).isTrue();
    }

    @ParameterizedTest
    @EnumSource
    void onlyTheLayersAskedForAreMoved(LayoutType type) {
        BlockPool destination = kept(BlockFixture.pool(BlockFixture.small().build(), type, 2));
        BlockList<MutableBlock> to = kept(destination.allocateBlocks(2));
        fill(own.get(0), 1);
        fill(own.get(1), 2);
        plain.execute(TransferRequest.put().from(list(own, 0, 1)).to(to).layers(1, 3).build());
        for (int i = 0; i < 2; i++) {
            assertThat(isZero(to.get(i), 0)).isTrue();
            assertThat(holds(to.get(i), i + 1, 1)).isTrue();
            assertThat(holds(to.get(i), i + 1, 2)).isTrue();
        }
    }

    @Test
    void everyRequestIsValidatedBeforeAByteMoves() {
        fill(others.get(0), 1);
        fill(others.get(1), 2);
        assertKind(TransferException.Kind.INVALID_REQUEST, "named twice",
                () -> plain.execute(TransferRequest.put(list(others, 0, 1), list(own, 0, 0))));
        assertKind(TransferException.Kind.INVALID_REQUEST, "named twice",
                () -> plain.submit(TransferRequest.put(list(others, 0, 1), list(own, 0, 0))));
        BlockPool odd = kept(BlockFixture.pool(BlockFixture.small().innerDim(7).build(), LayoutType.FULLY_CONTIGUOUS,
                2));
        BlockList<MutableBlock> wide = kept(odd.allocateBlocks(1));
        assertKind(TransferException.Kind.SHAPE_MISMATCH, "bytes per region",
                () -> plain.execute(TransferRequest.put(List.of(others.get(0), wide.get(0)), list(own, 0, 1))));
        assertKind(TransferException.Kind.SHAPE_MISMATCH, "bytes per region",
                () -> plain.submit(TransferRequest.put(List.of(others.get(0), wide.get(0)), list(own, 0, 1))));
        assertThat(isZero(own.get(0), 0)).isTrue();
        assertThat(plain.inFlight()).isZero();
        assertThat(pool.stats().holders()).isEqualTo(4);
    }

    @Test
    void addressesAreComparedOnlyWhenAskedFor() {
        HostStorage storage = HostAllocator.create().allocate(8 * 288);
        BlockPool one = kept(BlockFixture.pool(BlockFixture.over(BlockFixture.small().build(), storage), 5));
        BlockPool two = kept(BlockFixture.pool(BlockFixture.over(BlockFixture.small().build(), storage), 6));
        BlockList<MutableBlock> a = kept(one.allocateBlocks(1));
        BlockList<MutableBlock> b = kept(two.allocateBlocks(1));
        TransferDispatcher checking = kept(TransferDispatcher.builder().checkAddresses(true).build());
        plain.execute(TransferRequest.put(a, b));
        assertKind(TransferException.Kind.INVALID_REQUEST, "overlaps",
                () -> checking.execute(TransferRequest.put(a, b)));
        assertKind(TransferException.Kind.INVALID_REQUEST, "overlaps",
                () -> checking.submit(TransferRequest.put(a, b)));
        checking.execute(TransferRequest.put(others, own));
    }

    @Test
    void aSubmittedTransferCompletes() {
        fill(others.get(0), 5);
        Transfer transfer = plain.submit(TransferRequest.put(list(others, 0), list(own, 0)));
        transfer.join();
        assertThat(transfer.completion().toCompletableFuture()).isCompleted();
        assertThat(holds(own.get(0), 5)).isTrue();
        assertThat(plain.inFlight()).isZero();
        assertThat(pool.stats().holders()).isEqualTo(4);
        assertThat(other.stats().holders()).isEqualTo(4);
    }

    @Test
    @DisplayName("D7: handles closed during a transfer keep their memory until it is over")
    void closedHandles() throws Exception {
        GatedEngine engine = new GatedEngine();
        TransferDispatcher dispatcher = kept(TransferDispatcher.builder().engine(engine).build());
        fill(others.get(2), 9);
        MemorySegment target = own.get(3).segment(2, 1);
        MemorySegment source = others.get(2).segment(2, 1);
        Transfer transfer = dispatcher.submit(TransferRequest.put(list(others, 2), list(own, 3)));
        assertThat(engine.started.await(30, TimeUnit.SECONDS)).isTrue();
        own.close();
        others.close();
        assertThat(pool.stats().holders()).isOne();
        assertThat(pool.availableBlocks()).isEqualTo(7);
        assertThatThrownBy(() -> pool.allocateBlocks(8)).isInstanceOf(PoolException.class);
        BlockList<MutableBlock> rest = kept(pool.allocateBlocks(7));
        rest.forEach(block -> fill(block, 200));
        other.close();
        pool.close();
        engine.gate.countDown();
        transfer.completion().toCompletableFuture().orTimeout(30, TimeUnit.SECONDS).join();
        assertThat(target.mismatch(BlockFixture.pattern(9, 2, 1, target.byteSize()))).isEqualTo(-1);
        assertThat(source.scope().isAlive()).isFalse();
        assertThat(target.scope().isAlive()).isTrue();
        rest.close();
        assertThat(target.scope().isAlive()).isFalse();
    }

    @Test
    void aBlockThatIsBeingWrittenCannotBeRegistered() throws Exception {
        GatedEngine engine = new GatedEngine();
        TransferDispatcher dispatcher = kept(TransferDispatcher.builder().engine(engine).build());
        Transfer transfer = dispatcher.submit(TransferRequest.put(list(others, 0), list(own, 0)));
        assertThat(engine.started.await(30, TimeUnit.SECONDS)).isTrue();
        own.get(0).initSequence(1);
        own.get(0).addTokens(io.kvbm.token.Tokens.of(1, 2, 3, 4));
        own.get(0).commit();
        assertThatThrownBy(() -> pool.registerBlocks(list(own, 0))).isInstanceOf(PoolException.class)
                .hasMessageContaining("running transfer");
        engine.gate.countDown();
        transfer.join();
        kept(pool.registerBlocks(list(own, 0)));
    }

    @Test
    void asManyTransfersAsTheLimitAreUnderWay() throws Exception {
        GatedEngine engine = new GatedEngine();
        TransferDispatcher dispatcher = kept(
                TransferDispatcher.builder().engine(engine).maxInFlight(2).threads(1).build());
        Transfer first = dispatcher.submit(TransferRequest.put(list(others, 0), list(own, 0)));
        Transfer second = dispatcher.submit(TransferRequest.put(list(others, 1), list(own, 1)));
        assertThat(dispatcher.inFlight()).isEqualTo(2);
        assertThatThrownBy(() -> dispatcher.submit(TransferRequest.put(list(others, 2), list(own, 2))))
                .hasMessageContaining("2 transfers")
                .asInstanceOf(type(TransferException.class))
                .satisfies(e -> {
                    assertThat(e.kind()).isEqualTo(TransferException.Kind.TOO_MANY_IN_FLIGHT);
                    assertThat(e.decision()).isEqualTo(io.kvbm.error.Decision.RETRY);
                });
        assertThat(pool.stats().holders()).isEqualTo(6);
        engine.gate.countDown();
        first.join();
        second.join();
        assertThat(dispatcher.inFlight()).isZero();
        dispatcher.submit(TransferRequest.put(list(others, 2), list(own, 2))).join();
    }

    @Test
    void aTransferThatWaitsForAThreadCanBeCancelled() throws Exception {
        GatedEngine engine = new GatedEngine();
        TransferDispatcher dispatcher = kept(TransferDispatcher.builder().engine(engine).threads(1).build());
        Transfer first = dispatcher.submit(TransferRequest.put(list(others, 0), list(own, 0)));
        fill(others.get(1), 4);
        Transfer second = dispatcher.submit(TransferRequest.put(list(others, 1), list(own, 1)));
        second.cancel();
        engine.gate.countDown();
        first.join();
        assertKind(TransferException.Kind.CANCELLED, "cancelled", second::join);
        assertThat(isZero(own.get(1), 0)).isTrue();
    }

    /** Two blocks of 12 MiB, in one run or in 24 parts of 512 KiB. */
    private List<MutableBlock> largeBlocks(LayoutType type) {
        LayoutConfig config = LayoutConfig.builder()
                .numBlocks(2)
                .numLayers(12)
                .outerDim(2)
                .pageSize(16)
                .innerDim(32 << 10)
                .dtype(DType.U8)
                .build();
        BlockPool large = kept(BlockFixture.pool(config, type, 8));
        BlockList<MutableBlock> blocks = kept(large.allocateBlocks(2));
        for (int layer = 0; layer < 12; layer++) {
            blocks.get(0).segment(layer, 0).fill((byte) (layer + 1));
            blocks.get(0).segment(layer, 1).fill((byte) (layer + 1));
        }
        return blocks;
    }

    private static int arrivedLayers(MutableBlock block) {
        int layers = 0;
        for (int layer = 0; layer < 12; layer++) {
            MemorySegment last = block.segment(layer, 1);
            layers += last.get(ValueLayout.JAVA_BYTE, last.byteSize() - 1) == layer + 1 ? 1 : 0;
        }
        return layers;
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("the deadline is looked at every 4 MiB, in large blocks as in blocks of many parts")
    void deadlineBetweenPieces(LayoutType type) {
        List<MutableBlock> blocks = largeBlocks(type);
        AtomicLong now = new AtomicLong();
        TransferDispatcher dispatcher = kept(TransferDispatcher.builder()
                .clock(() -> now.getAndAdd(1_000_000_000L))
                .timeout(Duration.ofMillis(2500))
                .build());
        // made at 0 s, looked at before the first piece at 1 s, the second at 2 s, the third at 3 s
        assertKind(TransferException.Kind.DEADLINE_EXCEEDED, "PT2.5S",
                () -> dispatcher.execute(TransferRequest.put(list(blocks, 0), list(blocks, 1))));
        assertThat(arrivedLayers(blocks.get(1))).isEqualTo(8);
        Transfer submitted = dispatcher.submit(TransferRequest.put(list(blocks, 0), list(blocks, 1)),
                Duration.ofSeconds(1));
        assertKind(TransferException.Kind.DEADLINE_EXCEEDED, "PT1S", submitted::join);
        dispatcher.submit(TransferRequest.put(list(blocks, 0), list(blocks, 1)), Duration.ofSeconds(4)).join();
        assertThat(arrivedLayers(blocks.get(1))).isEqualTo(12);
        dispatcher.submit(TransferRequest.put(list(blocks, 0), list(blocks, 1)), Duration.ofSeconds(Long.MAX_VALUE))
                .join();
        assertThat(dispatcher.inFlight()).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void cancellationTakesEffectBetweenPieces(LayoutType type) throws Exception {
        List<MutableBlock> blocks = largeBlocks(type);
        CountDownLatch secondLook = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicLong looks = new AtomicLong();
        TransferDispatcher dispatcher = kept(TransferDispatcher.builder().clock(() -> {
            if (looks.getAndIncrement() == 2) {
                secondLook.countDown();
                try {
                    assertThat(goOn.await(30, TimeUnit.SECONDS)).isTrue();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
            return 0;
        }).build());
        Transfer transfer = dispatcher.submit(TransferRequest.put(list(blocks, 0), list(blocks, 1)));
        assertThat(secondLook.await(30, TimeUnit.SECONDS)).isTrue();
        transfer.cancel();
        goOn.countDown();
        assertKind(TransferException.Kind.CANCELLED, "cancelled", transfer::join);
        assertThat(arrivedLayers(blocks.get(1))).isEqualTo(8);
    }

    @Test
    void aClosedDispatcherRefusesAndFinishesWhatIsUnderWay() throws Exception {
        GatedEngine engine = new GatedEngine();
        TransferDispatcher dispatcher = TransferDispatcher.builder().engine(engine).threads(1).build();
        fill(others.get(0), 1);
        fill(others.get(1), 2);
        Transfer first = dispatcher.submit(TransferRequest.put(list(others, 0), list(own, 0)));
        Transfer second = dispatcher.submit(TransferRequest.put(list(others, 1), list(own, 1)));
        assertThat(engine.started.await(30, TimeUnit.SECONDS)).isTrue();
        dispatcher.close();
        dispatcher.close();
        long holders = pool.stats().holders();
        assertThatThrownBy(() -> dispatcher.submit(TransferRequest.put(list(others, 2), list(own, 2))))
                .isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> dispatcher.execute(TransferRequest.put(list(others, 2), list(own, 2))))
                .isInstanceOf(ClosedException.class);
        assertThat(pool.stats().holders()).isEqualTo(holders);
        engine.gate.countDown();
        first.join();
        second.join();
        assertThat(holds(own.get(0), 1)).isTrue();
        assertThat(holds(own.get(1), 2)).isTrue();
        assertThat(dispatcher.inFlight()).isZero();
    }

    /** An engine that fails in its own way. */
    private record FailingEngine(Throwable failure) implements TransferEngine {

        @Override
        public boolean supports(TransferStrategy strategy) {
            return true;
        }

        @Override
        public void transfer(TransferPlan plan, TransferControl control) {
            if (failure instanceof Error error) {
                throw error;
            }
            throw (RuntimeException) failure;
        }
    }

    @Test
    void anEngineThatFailsIsAFailedExecution() {
        IllegalStateException failure = new IllegalStateException("bus fell off");
        TransferDispatcher dispatcher = kept(
                TransferDispatcher.builder().engine(new FailingEngine(failure)).build());
        TransferRequest request = TransferRequest.put(others, own);
        assertKind(TransferException.Kind.EXECUTION_FAILED, "4 blocks by MEMCPY failed: bus fell off",
                () -> dispatcher.execute(request));
        Transfer transfer = dispatcher.submit(request);
        assertKind(TransferException.Kind.EXECUTION_FAILED, "bus fell off", transfer::join);
        assertThatThrownBy(() -> transfer.completion().toCompletableFuture().join())
                .isInstanceOf(CompletionException.class)
                .cause()
                .isInstanceOf(TransferException.class)
                .hasCause(failure);
        assertThat(pool.stats().holders()).isEqualTo(4);
        assertThat(other.stats().holders()).isEqualTo(4);
        assertThat(dispatcher.inFlight()).isZero();
    }

    @Test
    void anErrorInAnEngineEndsTheTransferToo() {
        TransferDispatcher dispatcher = kept(
                TransferDispatcher.builder().engine(new FailingEngine(new StackOverflowError("deep"))).build());
        Transfer transfer = dispatcher.submit(TransferRequest.put(others, own));
        assertThatThrownBy(transfer::join).hasRootCauseMessage("deep");
        assertThat(pool.stats().holders()).isEqualTo(4);
        assertThat(dispatcher.inFlight()).isZero();
        TransferDispatcher own2 = kept(TransferDispatcher.builder()
                .engine(new FailingEngine(new TransferException(TransferException.Kind.CANCELLED, "as it is")))
                .build());
        assertKind(TransferException.Kind.CANCELLED, "as it is", () -> own2.execute(TransferRequest.put(others, own)));
    }

    @Test
    void theEngineAddedLastIsAskedFirst() {
        List<String> asked = new ArrayList<>();
        TransferDispatcher dispatcher = kept(TransferDispatcher.builder()
                .engine(new NamedEngine("first", TransferStrategy.MEMCPY, asked))
                .engine(new NamedEngine("second", TransferStrategy.MEMCPY, asked))
                .engine(new NamedEngine("third", TransferStrategy.CUDA_BLOCKING_H2D, asked))
                .build());
        dispatcher.execute(TransferRequest.put(others, own));
        assertThat(asked).containsExactly("second");
        BlockList<MutableBlock> device = kept(
                kept(BlockFixture.typed(new StorageType.Device(0), 3)).allocateBlocks(4));
        dispatcher.execute(TransferRequest.put(others, device));
        assertThat(asked).containsExactly("second", "third");
    }

    private record NamedEngine(String name, TransferStrategy strategy, List<String> asked) implements TransferEngine {

        @Override
        public boolean supports(TransferStrategy other) {
            return other == strategy;
        }

        @Override
        public void transfer(TransferPlan plan, TransferControl control) {
            assertThat(plan.strategy()).isEqualTo(strategy);
            asked.add(name);
        }
    }

    @Test
    void memoryWithoutAnEngineIsIncompatible() {
        BlockList<MutableBlock> device = kept(
                kept(BlockFixture.typed(new StorageType.Device(0), 3)).allocateBlocks(2));
        BlockList<MutableBlock> pinned = kept(kept(BlockFixture.typed(new StorageType.Pinned(), 4)).allocateBlocks(2));
        assertKind(TransferException.Kind.INCOMPATIBLE_TYPES, "CUDA_BLOCKING_H2D",
                () -> plain.execute(TransferRequest.put(list(own, 0), list(device, 0))));
        assertKind(TransferException.Kind.INCOMPATIBLE_TYPES, "pair 1 by CUDA_BLOCKING_H2D",
                () -> plain.execute(TransferRequest.put(list(own, 0, 1), List.of(pinned.get(0), device.get(0)))));
        assertKind(TransferException.Kind.INCOMPATIBLE_TYPES, "INVALID", () -> plain.submit(TransferRequest.put(
                list(own, 0), kept(kept(BlockFixture.typed(new StorageType.Null(), 6)).allocateBlocks(1))))
                .join());
        fill(own.get(0), 3);
        plain.execute(TransferRequest.put(list(own, 0), list(pinned, 1)));
        assertThat(holds(pinned.get(1), 3)).isTrue();
        assertThat(pool.stats().holders()).isEqualTo(4);
    }

    @Test
    void aClosedHandleIsRefusedAndNothingStaysPinned() {
        own.get(2).close();
        assertThatThrownBy(() -> plain.execute(TransferRequest.put(others, own))).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> plain.submit(TransferRequest.put(others, own))).isInstanceOf(ClosedException.class);
        assertThat(pool.stats().holders()).isEqualTo(3);
        assertThat(other.stats().holders()).isEqualTo(4);
        assertThat(plain.inFlight()).isZero();
    }

    @Test
    @DisplayName("a transfer whose last pin cannot free the memory is over all the same, and says why")
    void failingRelease() throws Exception {
        HostStorage storage = HostAllocator.create().allocate(8 * 288);
        storage.registrations().register("broken", () -> () -> {
            throw new IllegalStateException("not released");
        });
        BlockPool fragile = BlockFixture.pool(
                BlockMemory.over(io.kvbm.layout.BlockLayout.of(BlockFixture.small().build(),
                        LayoutType.FULLY_CONTIGUOUS), List.of(storage)),
                7);
        BlockList<MutableBlock> target = fragile.allocateBlocks(1);
        GatedEngine engine = new GatedEngine();
        TransferDispatcher dispatcher = kept(TransferDispatcher.builder().engine(engine).build());
        Transfer transfer = dispatcher.submit(TransferRequest.put(list(others, 0), target));
        assertThat(engine.started.await(30, TimeUnit.SECONDS)).isTrue();
        target.close();
        fragile.close();
        engine.gate.countDown();
        assertThatThrownBy(() -> transfer.completion().toCompletableFuture().get(30, TimeUnit.SECONDS))
                .hasRootCauseMessage("not released");
        assertThat(dispatcher.inFlight()).isZero();
        assertThat(other.stats().holders()).isEqualTo(4);
    }

    @Test
    void aRegionChangesItsOrderOfHeadsOnTheWayAndBack() {
        LayoutConfig.Builder config = BlockFixture.small().heads(3);
        BlockPool tokensFirst = kept(BlockFixture.pool(config.build(), LayoutType.FULLY_CONTIGUOUS, 2));
        BlockPool headsFirst = kept(BlockFixture.pool(config.headOrder(HeadOrder.HND).build(),
                LayoutType.LAYER_SEPARATE, 3));
        BlockList<MutableBlock> source = kept(tokensFirst.allocateBlocks(2));
        BlockList<MutableBlock> between = kept(headsFirst.allocateBlocks(2));
        BlockList<MutableBlock> back = kept(tokensFirst.allocateBlocks(2));
        fill(source.getFirst(), 1);
        fill(source.getLast(), 2);
        plain.execute(TransferRequest.put(source, between));
        for (int token = 0; token < 4; token++) {
            for (int head = 0; head < 3; head++) {
                // 6 elements of 2 bytes, so 4 bytes of each head
                assertThat(
                        between.getFirst().segment(2, 1).get(ValueLayout.JAVA_INT_UNALIGNED, (head * 4 + token) * 4L))
                        .isEqualTo(source.getFirst()
                                .segment(2, 1)
                                .get(ValueLayout.JAVA_INT_UNALIGNED, (token * 3 + head) * 4L));
            }
        }
        plain.execute(TransferRequest.put(between, back));
        assertThat(holds(back.getFirst(), 1)).isTrue();
        assertThat(holds(back.getLast(), 2)).isTrue();
    }

    @Test
    void anOrderOfOtherHeadsIsRefused() {
        BlockPool two = kept(BlockFixture.pool(BlockFixture.small().heads(2).build(), LayoutType.FULLY_CONTIGUOUS, 2));
        BlockPool three = kept(BlockFixture.pool(BlockFixture.small().heads(3).headOrder(HeadOrder.HND).build(),
                LayoutType.FULLY_CONTIGUOUS, 3));
        BlockList<MutableBlock> from = kept(two.allocateBlocks(1));
        BlockList<MutableBlock> to = kept(three.allocateBlocks(1));
        assertKind(TransferException.Kind.SHAPE_MISMATCH, "has 2 heads at the source and 3 at the destination",
                () -> plain.execute(TransferRequest.put(from, to)));
    }

    @Test
    void blocksStayHeldWhileAnEngineThatHasThrownKeepsAShareOfThem() {
        List<TransferHold> shares = new ArrayList<>();
        TransferDispatcher keeping = kept(TransferDispatcher.builder().engine(new TransferEngine() {

            @Override
            public boolean supports(TransferStrategy strategy) {
                return true;
            }

            @Override
            public void transfer(TransferPlan plan, TransferControl control) {
                shares.add(plan.hold().share());
                throw new TransferException(TransferException.Kind.DEADLINE_EXCEEDED, "late");
            }
        }).build());
        assertKind(TransferException.Kind.DEADLINE_EXCEEDED, "late",
                () -> keeping.execute(TransferRequest.put(others, own)));
        own.close();
        assertThat(pool.availableBlocks()).isEqualTo(pool.totalBlocks() - 4);
        shares.getFirst().close();
        shares.getFirst().close();
        assertThat(pool.availableBlocks()).isEqualTo(pool.totalBlocks());
    }
}
