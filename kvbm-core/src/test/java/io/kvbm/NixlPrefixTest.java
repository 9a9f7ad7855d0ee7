package io.kvbm;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.TransferException;
import io.kvbm.layout.LayoutType;
import io.kvbm.nixl.InstalledNixl;
import io.kvbm.nixl.NixlAgentConfig;
import io.kvbm.nixl.NixlTransport;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.LeaseLimits;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLimits;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.Peering;
import io.kvbm.remote.PutRequest;
import io.kvbm.remote.ReadOutcome;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.remote.SharingLimits;
import io.kvbm.remote.Writer;
import io.kvbm.transfer.RemoteTransport;
import io.kvbm.transfer.TransferRequest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

/** Managers that do not map each other's memory, as if they were on different hosts, and reach it by NIXL. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class NixlPrefixTest {

    private static final String TENANT = "t";
    private static final Duration LONG = Duration.ofSeconds(20);

    /** A lease that has been read is given back a little later, and counts until then. */
    private static final SharingLimits ALL_MAY_BE_LEASED = new SharingLimits(PeerLimits.DEFAULT,
            new LeaseLimits(256, 8192, Duration.ofSeconds(60), 100, 5), 256, 1 << 16);

    private static long starts;

    private final List<Worker> workers = new ArrayList<>();

    /** A worker, and what happens before it answers. */
    private final class Worker {

        final KvBlockManager manager;
        final NixlTransport transport;
        final Reconciler reconciler;
        final PeerLink desk;
        Runnable afterLease = () -> {};

        Worker(long id, LayoutType layout) {
            starts++;
            this.transport = NixlTransport.start(InstalledNixl.library(),
                    NixlAgentConfig.of(RemoteTransport.agentName(id, starts)), "UCX", Map.of());
            this.manager = KvBlockManager.create(ToyModel.config(16, layout)
                    .runtime(KvManagerRuntimeConfig.builder().workerId(id).epoch(starts).build())
                    .model(ToyModel.named("toy"))
                    .sharing(KvManagerSharingConfig.builder()
                            .memories(PeerMemory.Source.NONE)
                            .transport(transport)
                            .takeTimeout(LONG)
                            .limits(ALL_MAY_BE_LEASED)
                            .build())
                    .build());
            this.desk = this::answer;
            this.reconciler = peering().reconciler(
                    to -> workers.get(Integer.parseInt(to)).desk,
                    ReconcilerSettings.DEFAULT);
            workers.add(this);
        }

        private PeerAnswer answer(PeerRequest request) {
            PeerAnswer answer = peering().desk().ask(request);
            if (request instanceof PeerRequest.Lease) {
                afterLease.run();
            }
            return answer;
        }

        Peering peering() {
            return manager.peering().orElseThrow();
        }

        BlockPool pool() {
            return manager.host().orElseThrow();
        }

        /** Learns what another one exports. */
        void meet(Worker other) {
            peering().importBlockset(BlocksetCodec.decode(BlocksetCodec.encode(other.manager.exportBlockset())),
                    other.desk);
        }

        void compute(int[] tokens) {
            try (KvSequence sequence = manager.open(tokens, TENANT)) {
                ToyModel.computeTo(sequence, TENANT, tokens.length);
            }
        }

        int reused(int[] tokens) {
            try (KvSequence sequence = manager.open(tokens, TENANT)) {
                ToyModel.verify(sequence, TENANT, IntStream.of(tokens).boxed().toList(), sequence.reusedTokens());
                return sequence.reusedTokens();
            }
        }

        long misses(ReadOutcome why) {
            return peering().stats().misses().getOrDefault(why, 0L);
        }
    }

    private static int[] tokens(int count) {
        return IntStream.range(0, count).toArray();
    }

    /** Has everybody learn what everybody else holds, which is so many blocks in all. */
    private void settle(int blocks) {
        List<String> addresses = IntStream.range(0, workers.size()).mapToObj(Integer::toString).toList();
        await().atMost(LONG).until(() -> {
            for (Worker worker : workers) {
                worker.reconciler.listed(addresses);
                worker.reconciler.step(Runnable::run);
            }
            return workers.getLast().peering().index().stats().blocks() == blocks;
        });
    }

    @AfterEach
    void nothingIsHeld() {
        for (Worker worker : workers) {
            await().atMost(LONG)
                    .untilAsserted(() -> assertThat(worker.peering().leases().stats().readLeases()).isZero());
            assertThat(worker.pool().stats().holders()).isZero();
            assertThat(worker.transport.unfinished()).isZero();
            worker.manager.close();
            worker.transport.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"FULLY_CONTIGUOUS, FULLY_CONTIGUOUS", "FULLY_CONTIGUOUS, LAYER_SEPARATE",
        "LAYER_SEPARATE, LAYER_SEPARATE_OUTER_FIRST"})
    void whatAnotherHostHasComputedIsReused(LayoutType theirs, LayoutType ours) {
        Worker one = new Worker(1, theirs);
        Worker two = new Worker(2, ours);
        one.compute(tokens(40));
        settle(10);
        assertThat(two.peering().peers().getFirst().isMapped()).isFalse();
        assertThat(two.reused(tokens(41))).isEqualTo(40);
        assertThat(two.peering().taker().stats().taken()).isEqualTo(10);
    }

    @Test
    void whatItsOwnerHasReusedMeanwhileIsComputed() {
        Worker one = new Worker(1, LayoutType.FULLY_CONTIGUOUS);
        Worker two = new Worker(2, LayoutType.FULLY_CONTIGUOUS);
        one.compute(tokens(40));
        settle(10);
        one.pool().clear();
        assertThat(two.reused(tokens(41))).isZero();
        assertThat(two.misses(ReadOutcome.STALE)).isOne();
    }

    @Test
    void bytesThatChangeUnderALeaseThatHasEndedAreNotTaken() {
        Worker one = new Worker(1, LayoutType.FULLY_CONTIGUOUS);
        Worker two = new Worker(2, LayoutType.FULLY_CONTIGUOUS);
        one.compute(tokens(40));
        settle(10);
        one.afterLease = () -> {
            one.peering().leases().gone(2);
            one.pool().clear();
            try (BlockList<MutableBlock> all = one.pool().allocateBlocks(16)) {
                all.forEach(block -> block.segment().fill((byte) 77));
            }
        };
        assertThat(two.reused(tokens(41))).isZero();
        assertThat(two.misses(ReadOutcome.CORRUPT)).isOne();
    }

    @ParameterizedTest
    @EnumSource(LayoutType.class)
    @DisplayName("14.2 in one process: what one manager writes by NIXL is in the blocks of the other when it is told so")
    void theDisabledEndOfT3(LayoutType layout) {
        Worker zero = new Worker(1337, LayoutType.FULLY_CONTIGUOUS);
        Worker one = new Worker(1338, layout);
        zero.meet(one);
        one.meet(zero);
        Queue<String> told = new ConcurrentLinkedQueue<>();
        try (BlockList<MutableBlock> blocks0 = zero.pool().allocateBlocks(4);
                BlockList<MutableBlock> blocks1 = one.pool().allocateBlocks(4)) {
            zero.peering()
                    .desk()
                    .listen((worker, text) -> told.add(worker + text + Filling.firstOther(blocks0, 200)));
            zero.peering().leases().write(zero.pool(), blocks0, 1338, Writer.ASKS, LONG);
            Filling.fill(blocks1, 200);
            String sent = BlockDescriptorList.ofMutable(blocks0).toJson();
            List<RemoteBlock> remote0 = one.manager.getRemoteBlocksMutable(BlockDescriptorList.fromJson(sent));
            PutRequest ourselves = PutRequest.builder().from(blocks0).to(remote0).build();
            assertThatThrownBy(ourselves::validateBlocks).isInstanceOf(TransferException.class);

            PutRequest put = PutRequest.builder().from(blocks1).to(remote0).notification("four").build();
            put.validateBlocks();
            one.manager.put(put);
            await().untilAsserted(() -> assertThat(told).containsExactly("1338fourOptional.empty"));

            one.manager.transfers()
                    .execute(TransferRequest.put().from(blocks1.subList(2, 4)).to(blocks1.subList(0, 2)).build());
            assertThat(Filling.firstOther(blocks1.subList(0, 2), 202)).isEmpty();
        }
        zero.peering().leases().gone(1338);
    }

    @Test
    void blocksAreFetchedByHand() {
        Worker one = new Worker(1, LayoutType.LAYER_SEPARATE);
        Worker two = new Worker(2, LayoutType.FULLY_CONTIGUOUS);
        two.meet(one);
        try (BlockList<MutableBlock> theirs = one.pool().allocateBlocks(3);
                BlockList<MutableBlock> ours = two.pool().allocateBlocks(3)) {
            Filling.fill(theirs, 5);
            two.manager.get(GetRequest.builder()
                    .from(two.manager.getRemoteBlocksImmutable(BlockDescriptorList.ofMutable(theirs)))
                    .to(ours)
                    .build());
            assertThat(Filling.firstOther(ours, 5)).isEmpty();
        }
    }
}
