package io.kvbm;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.Block;
import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.cuda.Cuda;
import io.kvbm.cuda.CudaDevice;
import io.kvbm.cuda.CudaEngine;
import io.kvbm.cuda.CudaLibrary;
import io.kvbm.cuda.DeviceBytes;
import io.kvbm.cuda.StandIn;
import io.kvbm.error.ConfigException;
import io.kvbm.error.StorageException;
import io.kvbm.event.EventListener;
import io.kvbm.event.KvEvent;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.Blockset;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.ExportedLevel;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.Peering;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.StorageType;
import io.kvbm.testing.RandomCase;
import io.kvbm.tier.Route;
import io.kvbm.tier.RouteStats;
import io.kvbm.tier.TierLimits;
import io.kvbm.token.IdentityChain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/** Sequences in device memory with host memory beneath. */
@Tag("cuda")
@EnabledIf("io.kvbm.cuda.Gpu#isThere")
class TieringTest {

    private static final String TENANT = "t";

    private final CudaLibrary library = (CudaLibrary) Cuda.find();
    private final long handles = library.openHandles();
    private final CudaDevice device = library.device(0);
    private final ToyModel.Memory memory = memory(device);
    private final List<KvBlockManager> managers = new ArrayList<>();

    static ToyModel.Memory memory(CudaDevice device) {
        DeviceBytes bytes = new DeviceBytes(device);
        return new ToyModel.Memory() {

            @Override
            public long get(Block block, int layer, int outer, long offset) {
                return block.storageType() instanceof StorageType.Device ? bytes.get(block, layer, outer, offset)
                        : HOST.get(block, layer, outer, offset);
            }

            @Override
            public void set(Block block, int layer, int outer, long offset, long value) {
                if (block.storageType() instanceof StorageType.Device) {
                    bytes.set(block, layer, outer, offset, value);
                } else {
                    HOST.set(block, layer, outer, offset, value);
                }
            }
        };
    }

    @AfterEach
    void nothingIsLeft() {
        StandIn.find().ifPresent(StandIn::letGo);
        for (KvBlockManager manager : managers) {
            manager.close();
            await().untilAsserted(() -> assertThat(manager.pools()).allMatch(pool -> pool.stats().holders() == 0));
        }
        device.close();
        await().untilAsserted(() -> assertThat(library.openHandles()).isEqualTo(handles));
        StandIn.find().ifPresent(standIn -> {
            assertThat(standIn.violation()).isEmpty();
            standIn.reset();
        });
    }

    private KvBlockManagerConfig.Builder config(int onDevice, int onHost) {
        return ToyModel.config(onHost, LayoutType.FULLY_CONTIGUOUS)
                .hostLayout(KvManagerLayoutConfig.builder()
                        .numBlocks(onHost)
                        .allocator(HostAllocator.builder().pinning(device.pinning()).build())
                        .build())
                .deviceLayout(KvManagerLayoutConfig.builder()
                        .numBlocks(onDevice)
                        .layoutType(LayoutType.LAYER_SEPARATE)
                        .allocator(device.allocator())
                        .build())
                .engines(List.of(new CudaEngine(List.of(device))));
    }

    private KvBlockManager manager(KvBlockManagerConfig.Builder config) {
        KvBlockManager manager = KvBlockManager.create(config.build());
        managers.add(manager);
        return manager;
    }

    private static int[] tokens(int first, int count) {
        return IntStream.range(first, first + count).toArray();
    }

    private void compute(KvBlockManager manager, int... tokens) {
        try (KvSequence sequence = manager.open(tokens, TENANT)) {
            ToyModel.compute(memory, sequence, TENANT, sequence.computedTokens(), tokens.length);
            sequence.computed(tokens.length);
        }
    }

    private int reused(KvBlockManager manager, int... tokens) {
        try (KvSequence sequence = manager.open(tokens, TENANT)) {
            ToyModel.verify(memory, sequence, TENANT, IntStream.of(tokens).boxed().toList(), sequence.reusedTokens());
            return sequence.reusedTokens();
        }
    }

    private static RouteStats stats(KvBlockManager manager, Route route) {
        return manager.tiering().map(tiering -> tiering.stats(route)).orElseThrow();
    }

    private static void awaitOffloaded(KvBlockManager manager) {
        await().untilAsserted(() -> assertThat(stats(manager, Route.OFFLOAD).pendingBlocks()).isZero());
    }

    private static BlockPool host(KvBlockManager manager) {
        return manager.host().orElseThrow();
    }

    private static BlockPool device(KvBlockManager manager) {
        return manager.device().orElseThrow();
    }

    @Test
    void aSequenceLivesInDeviceMemoryWhereThereIsSome() {
        KvBlockManager manager = manager(config(8, 8));
        assertThat(manager.pools()).containsExactly(device(manager), host(manager));
        try (KvSequence sequence = manager.open(tokens(0, 10), TENANT)) {
            Block block = sequence.blocks().getFirst();
            assertThat(block.storageType()).isEqualTo(new StorageType.Device(0));
            assertThat(block.address(0, 1) - block.address(0, 0)).isEqualTo(block.layout().regionSize());
            assertThatThrownBy(() -> block.segment(0, 0)).isInstanceOf(StorageException.class)
                    .hasMessageContaining("give a kernel the address");
        }
    }

    @Test
    void whatIsRegisteredOnTheDeviceIsCopiedDownBehindIt() {
        KvBlockManager manager = manager(config(8, 8));
        compute(manager, tokens(0, 18));
        awaitOffloaded(manager);
        RouteStats offloaded = stats(manager, Route.OFFLOAD);
        assertThat(offloaded.blocks()).isEqualTo(4);
        assertThat(offloaded.bytes()).isEqualTo(4 * host(manager).blocks().layout().bytesPerBlock());
        assertThat(offloaded.failedBlocks() + offloaded.skippedBlocks()).isZero();
        device(manager).clear();
        assertThat(reused(manager, tokens(0, 18))).isEqualTo(16);
        assertThat(stats(manager, Route.ONBOARD).blocks()).isEqualTo(4);
        assertThat(reused(manager, tokens(0, 18))).isEqualTo(16);
        assertThat(stats(manager, Route.ONBOARD).blocks()).as("the second time it is there").isEqualTo(4);
    }

    @Test
    void aPrefixIsReusedFromBothLevels() {
        KvBlockManager manager = manager(config(8, 32));
        compute(manager, tokens(0, 24));
        awaitOffloaded(manager);
        compute(manager, tokens(1000, 24)); // takes the tail's memory
        awaitOffloaded(manager);
        assertThat(reused(manager, tokens(0, 25))).isEqualTo(24);
        assertThat(stats(manager, Route.ONBOARD).blocks()).isBetween(1L, 6L);
    }

    @Test
    void whatIsThereBelowIsNotCopiedAgain() {
        KvBlockManager manager = manager(config(8, 8));
        compute(manager, tokens(0, 16));
        awaitOffloaded(manager);
        compute(manager, tokens(0, 20));
        awaitOffloaded(manager);
        assertThat(stats(manager, Route.OFFLOAD).blocks()).isEqualTo(5);
    }

    @Test
    void whatWasEvictedBelowIsCopiedDownAgainWhenItIsUsed() {
        KvBlockManager manager = manager(config(8, 8));
        compute(manager, tokens(0, 16));
        awaitOffloaded(manager);
        host(manager).clear();
        assertThat(reused(manager, tokens(0, 17))).isEqualTo(16);
        awaitOffloaded(manager);
        device(manager).clear();
        assertThat(reused(manager, tokens(0, 17))).isEqualTo(16);
    }

    @Test
    void levelsWithAnotherOrderOfHeadsHoldTheSame() {
        KvBlockManagerConfig.Builder config = config(8, 8).model(ToyModel.model(ToyModel.PAGE).heads(2).build());
        KvBlockManager manager = manager(config.deviceLayout(KvManagerLayoutConfig.builder()
                .numBlocks(8)
                .headOrder(HeadOrder.HND)
                .allocator(device.allocator())
                .build()));
        assertThat(device(manager).blocks().layout().headOrder()).isEqualTo(HeadOrder.HND);
        assertThat(host(manager).blocks().layout().headOrder()).isEqualTo(HeadOrder.NHD);
        compute(manager, tokens(0, 16));
        awaitOffloaded(manager);
        device(manager).clear();
        assertThat(reused(manager, tokens(0, 17))).isEqualTo(16);
    }

    @Test
    void aForkAndATruncatedSequenceHaveBlocksOfTheirOwnOnTheDevice() {
        KvBlockManager manager = manager(config(16, 16));
        List<Integer> tokens = IntStream.range(0, 10).boxed().toList();
        try (KvSequence sequence = manager.open(tokens(0, 10), TENANT)) {
            ToyModel.compute(memory, sequence, TENANT, 0, 10);
            sequence.computed(10);
            try (KvSequence fork = sequence.fork()) {
                ToyModel.verify(memory, fork, TENANT, tokens, 10);
                fork.truncate(6);
                ToyModel.verify(memory, fork, TENANT, tokens, 6);
                assertThat(fork.blocks().get(1).id()).isNotEqualTo(sequence.blocks().get(1).id());
            }
        }
    }

    @Test
    void aFullLowerLevelCostsLaterHitsAndNothingElse() {
        KvBlockManager manager = manager(config(8, 2));
        try (BlockList<?> all = host(manager).allocateBlocks(2)) {
            assertThat(all).hasSize(2);
            compute(manager, tokens(0, 16));
            awaitOffloaded(manager);
            assertThat(stats(manager, Route.OFFLOAD).skippedBlocks()).isEqualTo(4);
        }
        assertThat(reused(manager, tokens(0, 17))).isEqualTo(16);
    }

    @Test
    void whileTooManyBlocksWaitNoMoreAreTaken() {
        assumeTrue(StandIn.find().isPresent());
        KvBlockManager manager = manager(config(32, 32).tierLimits(new TierLimits(4, 2, Duration.ofSeconds(1))));
        List<KvSequence> sequences = new ArrayList<>();
        for (int n = 0; n < 5; n++) {
            KvSequence sequence = manager.open(tokens(100 * n, 9), TENANT);
            ToyModel.compute(memory, sequence, TENANT, 0, 9);
            sequences.add(sequence);
        }
        StandIn.get().hold();
        sequences.forEach(sequence -> sequence.computed(9));
        sequences.forEach(KvSequence::close);
        assertThat(stats(manager, Route.OFFLOAD).pendingBlocks()).isEqualTo(4);
        assertThat(stats(manager, Route.OFFLOAD).skippedBlocks()).isEqualTo(6);
        StandIn.get().letGo();
        awaitOffloaded(manager);
        assertThat(stats(manager, Route.OFFLOAD).blocks()).isEqualTo(4);
    }

    @Test
    void whatIsClearedWhileItIsCopiedDownIsFoundOnNeitherLevel() {
        assumeTrue(StandIn.find().isPresent());
        KvBlockManager manager = manager(config(16, 16));
        try (KvSequence sequence = manager.open(tokens(0, 18), TENANT)) {
            ToyModel.compute(memory, sequence, TENANT, 0, 18);
            StandIn.get().hold();
            sequence.computed(18);
        }
        CompletableFuture<Integer> cleared = CompletableFuture.supplyAsync(() -> manager.clear(TENANT));
        await().until(() -> device(manager).stats().inactive() + device(manager).stats().active() == 0);
        StandIn.get().letGo();
        assertThat(cleared.join()).as("4 above, and what has been copied by then").isEqualTo(8);
        assertThat(reused(manager, tokens(0, 18))).isZero();
        compute(manager, tokens(0, 18));
        awaitOffloaded(manager);
        assertThat(manager.clear("another")).isZero();
        assertThat(reused(manager, tokens(0, 18))).isEqualTo(16);
    }

    @Test
    void anOnboardThatHangsIsComputedInstead() {
        assumeTrue(StandIn.find().isPresent());
        KvBlockManager manager = manager(config(12, 12).tierLimits(new TierLimits(64, 8, Duration.ofMillis(200))));
        compute(manager, tokens(0, 16));
        awaitOffloaded(manager);
        device(manager).clear();
        StandIn.get().hold();
        long begun = System.nanoTime();
        try (KvSequence sequence = manager.open(tokens(0, 17), TENANT)) {
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(2));
            assertThat(sequence.reusedTokens()).isZero();
            assertThat(stats(manager, Route.ONBOARD).failedBlocks()).isEqualTo(4);
            StandIn.get().letGo();
            await().untilAsserted(() -> assertThat(device(manager).availableBlocks()).isEqualTo(12 - 5));
            ToyModel.compute(memory, sequence, TENANT, 0, 17);
            sequence.computed(17);
            ToyModel.verify(memory, sequence, TENANT, IntStream.range(0, 17).boxed().toList(), 17);
        }
    }

    @Test
    void aDeviceThatFailsLeavesTheHostLevelAtWork() {
        assumeTrue(StandIn.find().isPresent());
        KvBlockManager manager = manager(config(8, 8));
        compute(manager, tokens(0, 16));
        awaitOffloaded(manager);
        StandIn.get().failOperation(1, 700);
        device(manager).clear();
        try (KvSequence sequence = manager.open(tokens(0, 17), TENANT)) {
            assertThat(sequence.reusedTokens()).isZero(); // it was opened on the device, which has failed meanwhile
        }
        assertThat(device(manager).blocks().isLost()).isTrue();
        List<KvEvent> seen = new ArrayList<>();
        var _ = manager.events().subscribe("test", new EventListener() {

            @Override
            public void onEvents(long first, List<KvEvent> events) {
                synchronized (seen) {
                    seen.addAll(events);
                }
            }

            @Override
            public void onGap(long expected, long next) {}
        });
        try (KvSequence sequence = manager.open(tokens(0, 17), TENANT)) {
            assertThat(sequence.reusedTokens()).isEqualTo(16);
            assertThat(sequence.blocks().getFirst().storageType()).isEqualTo(new StorageType.Pinned());
            ToyModel.verify(memory, sequence, TENANT, IntStream.range(0, 17).boxed().toList(), 16);
        }
        await().untilAsserted(() -> {
            synchronized (seen) {
                assertThat(seen).anyMatch(event -> event.level() == CacheLevel.G1 && event instanceof KvEvent.Cleared);
            }
        });
    }

    @Test
    void closingLetsWhatWaitsGo() {
        assumeTrue(StandIn.find().isPresent());
        KvBlockManager manager = manager(config(32, 32).tierLimits(new TierLimits(64, 2, Duration.ofSeconds(1))));
        List<KvSequence> sequences = new ArrayList<>();
        for (int n = 0; n < 4; n++) {
            KvSequence sequence = manager.open(tokens(100 * n, 16), TENANT);
            ToyModel.compute(memory, sequence, TENANT, 0, 16);
            sequences.add(sequence);
        }
        StandIn.get().hold();
        long operations = StandIn.get().operations();
        sequences.forEach(sequence -> sequence.computed(16));
        sequences.forEach(KvSequence::close);
        manager.close();
        StandIn.get().letGo();
        await().untilAsserted(() -> assertThat(stats(manager, Route.OFFLOAD).pendingBlocks()).isZero());
        assertThat(StandIn.get().operations() - operations).as("the copy that was under way").isLessThanOrEqualTo(1);
    }

    @Test
    void ofMoreThanMayWaitTheBeginningIsCopied() {
        KvBlockManager manager = manager(config(16, 16).tierLimits(new TierLimits(4, 2, Duration.ofSeconds(1))));
        compute(manager, tokens(0, 40));
        awaitOffloaded(manager);
        assertThat(stats(manager, Route.OFFLOAD).blocks()).isEqualTo(4);
        assertThat(stats(manager, Route.OFFLOAD).skippedBlocks()).isEqualTo(6);
        device(manager).clear();
        assertThat(reused(manager, tokens(0, 40))).isEqualTo(16);
    }

    @Test
    void whatIsUsedAboveStaysBelow() {
        KvBlockManager manager = manager(config(24, 6));
        compute(manager, tokens(0, 8));
        awaitOffloaded(manager);
        for (int n = 1; n <= 4; n++) {
            assertThat(reused(manager, tokens(0, 9))).isEqualTo(8);
            awaitTouched(manager);
            compute(manager, tokens(1000 * n, 8));
            awaitOffloaded(manager);
        }
        device(manager).clear();
        assertThat(reused(manager, tokens(0, 9))).as("all that time it was only used above").isEqualTo(8);
    }

    /** What was asked of the thread of offloads before is done when it has copied something that is asked for now. */
    private void awaitTouched(KvBlockManager manager) {
        long before = stats(manager, Route.OFFLOAD).blocks();
        compute(manager, tokens(50_000 + (int) before, 4));
        await().untilAsserted(() -> assertThat(stats(manager, Route.OFFLOAD).blocks()).isEqualTo(before + 1));
        awaitOffloaded(manager);
    }

    @Test
    void anObserverThatFailsHarmsNoCopy() {
        KvBlockManager manager = manager(config(8, 8).transferObserver((way, _) -> {
            if (way.name().equals("offload")) {
                throw new IllegalStateException("at the beginning");
            }
            return (_, _) -> {
                throw new IllegalStateException("at the end");
            };
        }));
        compute(manager, tokens(0, 16));
        awaitOffloaded(manager);
        device(manager).clear();
        assertThat(reused(manager, tokens(0, 17))).isEqualTo(16);
    }

    @Test
    void aHostLevelWithAnotherOrderThanTheModelsIsRefused() {
        KvBlockManagerConfig.Builder config = config(8, 8).hostLayout(KvManagerLayoutConfig.builder()
                .numBlocks(8)
                .headOrder(HeadOrder.HND)
                .allocator(HostAllocator.create())
                .build());
        assertThatThrownBy(() -> KvBlockManager.create(config.build())).isInstanceOf(ConfigException.class)
                .hasMessageContaining("only the device level may have another one");
    }

    @Test
    void aDeviceLevelThatNothingMovesBytesToIsRefused() {
        KvBlockManagerConfig.Builder config = config(8, 8).engines(List.of());
        assertThatThrownBy(() -> KvBlockManager.create(config.build())).isInstanceOf(ConfigException.class)
                .hasMessageContaining("give an engine, such as a CudaEngine");
    }

    @Test
    void drainingWaitsForWhatIsBeingCopied() throws InterruptedException {
        KvBlockManager manager = manager(config(16, 16));
        compute(manager, tokens(0, 40));
        assertThat(manager.drain(Duration.ofSeconds(10))).isTrue();
        assertThat(stats(manager, Route.OFFLOAD).blocks()).isEqualTo(10);
    }

    @Test
    void copiesAreObserved() {
        List<String> seen = new ArrayList<>();
        KvBlockManager manager = manager(config(8, 8).transferObserver((way, blocks) -> {
            synchronized (seen) {
                seen.add(way.name() + " " + blocks);
            }
            return (arrived, failure) -> {
                synchronized (seen) {
                    seen.add(failure == null ? "ended with " + arrived : "failed");
                }
            };
        }));
        compute(manager, tokens(0, 12));
        awaitOffloaded(manager);
        device(manager).clear();
        assertThat(reused(manager, tokens(0, 13))).isEqualTo(12);
        assertThat(seen).containsExactly("offload 3", "ended with 3", "onboard 3", "ended with 3");
    }

    @Test
    void blocksOfAPoolThatAreOffloadedByHandAreFoundBelow() {
        KvBlockManager manager = manager(config(8, 8));
        IdentityChain chain = chain(manager, tokens(0, 8));
        try (BlockList<MutableBlock> own = device(manager).allocateBlocks(2)) {
            memory.set(own.getLast(), 1, 1, 0, 77);
            try (BlockList<ImmutableBlock> registered = device(manager).registerBlocks(own, chain, 0)) {
                manager.tiering().orElseThrow().offload(registered, chain, 0);
            }
        }
        awaitOffloaded(manager);
        try (BlockList<ImmutableBlock> below = host(manager).matchBlocks(chain, 0, 2)) {
            assertThat(below).hasSize(2);
            assertThat(memory.get(below.getLast(), 1, 1, 0)).isEqualTo(77);
        }
    }

    private static IdentityChain chain(KvBlockManager manager, int... tokens) {
        IdentityChain chain = manager.chain(TENANT);
        chain.extend(tokens, 0, tokens.length);
        return chain;
    }

    @Test
    void whatAPeerHasComputedOnItsGpuIsTakenThroughTheHostLevels() {
        Map<String, KvBlockManager> workers = new HashMap<>();
        List<Reconciler> reconcilers = new ArrayList<>();
        for (long worker = 1; worker <= 2; worker++) {
            KvBlockManager manager = manager(config(16, 16)
                    .runtime(KvManagerRuntimeConfig.builder().workerId(worker).build())
                    .model(ToyModel.named("toy"))
                    .sharing(KvManagerSharingConfig.builder().build()));
            workers.put("worker-" + worker, manager);
            reconcilers.add(peering(manager).reconciler(
                    to -> peering(Objects.requireNonNull(workers.get(to))).desk(), ReconcilerSettings.DEFAULT));
        }
        KvBlockManager one = managers.getFirst();
        KvBlockManager two = managers.getLast();
        compute(one, tokens(0, 32));
        awaitOffloaded(one);
        await().untilAsserted(() -> {
            reconcilers.forEach(reconciler -> {
                reconciler.listed(workers.keySet());
                reconciler.step(Runnable::run);
            });
            assertThat(peering(two).index().blocks(1)).isEqualTo(8); // of the host level alone
        });
        assertThat(reused(two, tokens(0, 33))).isEqualTo(32);
        assertThat(peering(two).taker().stats().taken()).isEqualTo(8);
        assertThat(stats(two, Route.ONBOARD).blocks()).isEqualTo(8);
        assertThat(reused(two, tokens(0, 33))).isEqualTo(32);
    }

    private static Peering peering(KvBlockManager manager) {
        return manager.peering().orElseThrow();
    }

    @Test
    void bothLevelsAreExportedAndOnlyHostMemoryIsLeased() {
        KvBlockManager manager = manager(config(4, 4).model(ToyModel.named("toy"))
                .deviceLayout(KvManagerLayoutConfig.builder().numBlocks(4).allocator(device.allocator()).build())
                .sharing(KvManagerSharingConfig.builder().build()));
        Blockset exported = manager.exportBlockset();
        assertThat(exported.levels()).extracting(ExportedLevel::storageType)
                .containsExactlyInAnyOrder(new StorageType.Pinned(), new StorageType.Device(0));
        assertThat(BlocksetCodec.decode(BlocksetCodec.encode(exported)).levels()).extracting(ExportedLevel::storageType)
                .contains(new StorageType.Device(0));
        try (BlockList<MutableBlock> own = device(manager).allocateBlocks(1)) {
            BlockDescriptorList list = BlockDescriptorList.ofMutable(own);
            assertThat(list.blockSet()).isEqualTo(KvBlockManager.DEVICE_BLOCK_SET);
        }
        PeerAnswer answer = peering(manager).desk()
                .ask(new PeerRequest.Lease(7, peering(manager).local().epoch(), KvBlockManager.DEVICE_BLOCK_SET,
                        new int[]{0}, new long[]{1}, Duration.ofSeconds(1)));
        assertThat(answer).isInstanceOf(PeerAnswer.Refused.class)
                .asString()
                .contains("of which nothing is leased; ask for its copy in host memory");
    }

    @Test
    void randomProgramsNeverSeeAWrongByte() {
        long first = RandomCase.seed("TieringTest.randomPrograms");
        long reused = 0;
        long onboarded = 0;
        int programs = RandomCase.cases(10);
        for (int i = 0; i < programs; i++) {
            Random random = new Random(first + i);
            KvBlockManager manager = manager(config(6 + random.nextInt(10), 6 + random.nextInt(20)));
            SequenceProgram program = new SequenceProgram(manager, random, memory);
            try {
                program.run(100);
            } catch (RuntimeException | Error e) {
                throw new AssertionError("Repeat with KVBM_SEED=" + (first + i), e);
            }
            reused += program.reused();
            awaitOffloaded(manager);
            onboarded += stats(manager, Route.ONBOARD).blocks();
            manager.close();
        }
        assertThat(reused).isGreaterThan(programs * 10L);
        assertThat(onboarded).isPositive();
    }
}
