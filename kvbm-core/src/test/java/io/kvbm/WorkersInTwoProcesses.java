package io.kvbm;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.Block;
import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ContentState;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.EventFrame;
import io.kvbm.remote.EventFrameCodec;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.Peer;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerFeed;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.PeerRun;
import io.kvbm.remote.Peering;
import io.kvbm.remote.PutRequest;
import io.kvbm.remote.WriteLease;
import io.kvbm.remote.Writer;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferRequest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

/** Two workers in two processes, each of which reads and fills blocks of the other; worker 0 is in this one. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class WorkersInTwoProcesses {

    private static final Duration LONG = Duration.ofSeconds(60);
    private static final AtomicLong EPOCHS = new AtomicLong(1);

    final CopyClock clock = new CopyClock();
    WorkerProcess one;
    StartedWorker worker;
    KvBlockManager zero;
    BlockPool pool;
    Peering peering;

    private final Queue<String> told = new ConcurrentLinkedQueue<>();

    /** A worker that reaches others in the way of these tests. */
    abstract ToyWorker of(ToyWorker any);

    /** Whether the memory of the other worker is mapped. */
    abstract boolean maps();

    ToyWorker worker(long id, LayoutType layout) {
        return of(new ToyWorker(id, EPOCHS.getAndIncrement(), layout));
    }

    /** A worker of a layout that the reference's form has words for. */
    ToyWorker plain(long id) {
        return of(new ToyWorker(id, EPOCHS.getAndIncrement(), LayoutType.FULLY_CONTIGUOUS, 16, 1, 16));
    }

    @BeforeAll
    void startThere() throws Exception {
        one = WorkerProcess.start(worker(1, LayoutType.FULLY_CONTIGUOUS));
    }

    @AfterAll
    void endThere() {
        one.close();
    }

    @BeforeEach
    void startHere() throws Exception {
        told.clear();
        start(worker(0, LayoutType.FULLY_CONTIGUOUS));
    }

    private void start(ToyWorker anew) {
        worker = anew.start(clock, KvManagerSharingConfig.builder());
        zero = worker.manager();
        pool = worker.pool();
        peering = worker.peering();
        one.link.answerBy(peering.desk());
    }

    @AfterEach
    void nothingIsHeld() throws Exception {
        await().untilAsserted(() -> assertThat(pool.stats().holders()).isZero());
        assertThat(peering.desk().failures()).isZero();
        worker.close();
    }

    /** Both start anew. */
    void restart(ToyWorker here, ToyWorker there) {
        worker.close();
        start(here);
        one.be(there);
    }

    /** Both start anew and import what the other one exports, in its compact form. */
    Peer meet(LayoutType ours, LayoutType theirs) {
        restart(worker(0, ours), worker(1, theirs));
        assertThat(one.order("import")).as("whether worker 1 has our memory mapped").isEqualTo("" + maps());
        Peer peer = peering.importBlockset(one.blockset(0), one.link);
        assertThat(peer.isMapped()).isEqualTo(maps());
        assertThat(peer.isReadable()).isTrue();
        assertThat(peer.hits()).isTrue();
        return peer;
    }

    BlockDescriptorList ofOne(String order) {
        return BlockDescriptorList.fromJson(one.order(order));
    }

    static void assertFilled(List<? extends Block> blocks, int seed) {
        assertThat(Filling.firstOther(blocks, seed)).isEmpty();
    }

    // ------------------------------------------------------------------------------------------ by hand

    @ParameterizedTest
    @EnumSource(LayoutType.class)
    @DisplayName("14.2 between two processes: what one puts is in the memory of the other when it is told so")
    void theDisabledEndOfT3(LayoutType layout) {
        meet(LayoutType.FULLY_CONTIGUOUS, layout);
        try (BlockList<MutableBlock> blocks0 = pool.allocateBlocks(4)) {
            Filling.fill(blocks0, 100);
            WriteLease lease = peering.leases().write(pool, blocks0, 1, Writer.ASKS, LONG);
            String sent = BlockDescriptorList.ofMutable(blocks0).toJson();
            assertThat(sent).isEqualTo("{\"worker_id\":0,\"block_set_idx\":1,\"mutability\":\"Mutable\","
                    + "\"block_indices\":[0,1,2,3]}");
            peering.desk()
                    .listen((worker, text) -> told.add(worker + ":" + text + Filling.firstOther(blocks0, 200)));

            one.order("take 4");
            one.order("fill 200");
            one.order("put four-blocks " + sent);
            await().untilAsserted(() -> assertThat(told).as("what was told, and which byte was missing then")
                    .containsExactly("1:four-blocksOptional.empty"));
            assertFilled(blocks0, 200);

            TransferRequest halves = TransferRequest.put()
                    .from(blocks0.subList(2, 4))
                    .to(blocks0.subList(0, 2))
                    .build();
            halves.validateBlocks();
            zero.transfers().execute(halves);
            assertFilled(blocks0.subList(0, 2), 202);

            peering.leases().end(1, lease.number());
            assertThatThrownBy(() -> one.order("put again " + sent)).hasMessageContaining("NOT_MUTABLE");
        }
    }

    @ParameterizedTest
    @EnumSource(LayoutType.class)
    void whatIsPutIntoAnotherProcessIsThereWhenItIsToldSo(LayoutType layout) {
        meet(layout, LayoutType.LAYER_SEPARATE);
        BlockDescriptorList sent = ofOne("take 4");
        one.order("fill 300");
        List<RemoteBlock> remote1 = zero.getRemoteBlocksMutable(sent);
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(4)) {
            Filling.fill(mine, 400);
            PutRequest put = PutRequest.builder().from(mine).to(remote1).notification("for-you").build();
            assertThatThrownBy(() -> zero.put(put)).isInstanceOf(RemoteException.class)
                    .hasMessageContaining("not leased to worker 0");
            assertThat(one.order("check 300")).isEmpty();
            one.order("let-write 0");
            zero.put(put);
            assertThat(one.order("check 400")).isEmpty();
            await().untilAsserted(() -> assertThat(one.order("told")).isEqualTo("0:for-you"));
        }
    }

    @Test
    @DisplayName("14.2: what does not fit together is refused before anything is asked")
    void whatDoesNotFitTogetherIsRefused() {
        meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.FULLY_CONTIGUOUS);
        List<RemoteBlock> remote1 = zero.getRemoteBlocksMutable(ofOne("take 4"));
        one.order("let-write 0");
        one.order("fill 1");
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(4)) {
            List<RemoteBlock> ourselves = mine.stream()
                    .map(block -> new RemoteBlock(block.id(), peering.local().epoch(), block.layout(),
                            block.storageType(), remote1.getFirst().mutability(), remote1.getFirst().generation()))
                    .toList();
            assertThatThrownBy(() -> zero.put(new PutRequest(mine, ourselves, "")))
                    .isInstanceOf(TransferException.class)
                    .hasMessageContaining("both a source and a destination");
            assertThatThrownBy(() -> new PutRequest(mine.subList(0, 3), remote1, ""))
                    .hasMessageContaining("3 sources")
                    .hasMessageContaining("4 destinations");
            assertThatThrownBy(() -> new PutRequest(List.of(), List.of(), "")).isInstanceOf(TransferException.class);
            List<RemoteBlock> twice = List.of(remote1.getFirst(), remote1.getFirst());
            assertThatThrownBy(() -> zero.put(new PutRequest(mine.subList(0, 2), twice, "")))
                    .isInstanceOf(TransferException.class)
                    .hasMessageContaining("twice");
            assertThatThrownBy(() -> zero.importBlockset(zero.exportBlockset())).isInstanceOf(RemoteException.class)
                    .hasMessageContaining("which is this one");
            assertThatThrownBy(() -> zero.getRemoteBlocksMutable(BlockDescriptorList.ofMutable(mine)))
                    .isInstanceOf(RemoteException.class)
                    .hasMessageContaining("no such worker is imported");
        }
        assertThat(one.order("check 1")).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(LayoutType.class)
    void contentIsFetchedByItsGenerationAndRefusedOnceItsSlotWasReused(LayoutType layout) {
        meet(LayoutType.LAYER_SEPARATE, layout);
        one.order("take 3");
        one.order("fill 40");
        BlockDescriptorList named = ofOne("register 0");
        assertThatThrownBy(() -> zero.getRemoteBlocksMutable(named)).hasMessageContaining("permits reading only");
        List<RemoteBlock> remote1 = zero.getRemoteBlocksImmutable(named);
        try (BlockList<MutableBlock> copies = pool.allocateBlocks(3)) {
            zero.get(GetRequest.builder().from(remote1).to(copies).notification("got-them").build());
            assertFilled(copies, 40);
            assertThat(one.order("told")).isEqualTo("0:got-them");
            awaitNoLeasesThere();
            one.order("reuse");
            assertThatThrownBy(() -> zero.get(GetRequest.builder().from(remote1).to(copies).build()))
                    .isInstanceOf(RemoteException.class)
                    .hasMessageContaining("STALE");
        }
    }

    @ParameterizedTest
    @EnumSource(LayoutType.class)
    void anotherProcessFetchesByGenerationAndIsRefusedOnceTheSlotWasReused(LayoutType layout) {
        meet(layout, LayoutType.FULLY_CONTIGUOUS);
        peering.desk().listen((worker, text) -> told.add(worker + ":" + text));
        String named;
        try (BlockList<ImmutableBlock> registered = register(0, 3, 50)) {
            named = BlockDescriptorList.ofImmutable(registered).toJson();
        }
        one.order("take 3");
        one.order("get got-them " + named);
        assertThat(one.order("check 50")).isEmpty();
        assertThat(told).containsExactly("1:got-them");
        await().until(() -> peering.leases().stats().readLeases() == 0);
        pool.clear();
        assertThatThrownBy(() -> one.order("get again " + named)).hasMessageContaining("STALE_BLOCK");
        assertThat(told).hasSize(1);
    }

    @Test
    void generationsOfAnEarlierLifeNameNothingOfALaterOne() {
        meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.FULLY_CONTIGUOUS);
        one.order("take 3");
        one.order("fill 40");
        BlockDescriptorList named = ofOne("register 0");
        meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.FULLY_CONTIGUOUS);
        one.order("take 3");
        one.order("fill 50");
        BlockDescriptorList later = ofOne("register 0");
        assertThat(later.generation(0)).isEqualTo(named.generation(0));
        String withoutEpoch = later.toJson().replaceAll("\"epoch\":[0-9]+,", "");
        for (BlockDescriptorList list : List.of(named, BlockDescriptorList.fromJson(withoutEpoch))) {
            assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> zero.getRemoteBlocksImmutable(list))
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(RemoteException.Kind.STALE_EPOCH));
        }
        assertThat(zero.getRemoteBlocksImmutable(later)).hasSize(3);
    }

    private BlockList<ImmutableBlock> register(int first, int n, int seed) {
        BlockList<MutableBlock> filled = pool.allocateBlocks(n);
        Filling.fill(filled, seed);
        return pool.registerBlocks(filled, ToyWorker.chain(zero, first, n), 0);
    }

    @Test
    void memoryWithoutGenerationsIsFetchedIntoBlocksThatStayUnregistered() {
        meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.LAYER_SEPARATE);
        List<RemoteBlock> remote1 = zero.getRemoteBlocksMutable(ofOne("take 3"));
        one.order("fill 60");
        try (BlockList<MutableBlock> copies = pool.allocateBlocks(3)) {
            zero.get(GetRequest.builder().from(remote1).to(copies).build());
            assertFilled(copies, 60);
            one.order("fill 70");
            zero.get(GetRequest.builder().from(remote1).to(copies).build());
            assertFilled(copies, 70);
            assertThat(copies).allMatch(copy -> copy.state() == ContentState.RESET);
        }
        assertThat(pool.stats().registrations()).isZero();
        assertThat(pool.stats().free()).isEqualTo(16);
    }

    // ------------------------------------------------------------------------------------------ leases, events

    @Test
    void blocksThatAnotherProcessHasLeasedStayUntilItEndsTheLease() {
        Peer peer = meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.FULLY_CONTIGUOUS);
        one.order("take 3");
        one.order("fill 80");
        BlockDescriptorList named = ofOne("register 0");
        int[] slots = {named.index(0), named.index(1), named.index(2)};
        long[] generations = {0, 0, 0};
        PeerRequest question = new PeerRequest.Lease(0, peer.epoch(), 1, slots, generations, Duration.ofSeconds(5));
        PeerAnswer.Leased leased = (PeerAnswer.Leased) one.link.ask(question);
        assertThat(leased.checksums()).hasSize(3);
        one.order("reuse");
        assertThat(one.order("available")).isEqualTo("13");
        try (BlockList<MutableBlock> copies = pool.allocateBlocks(3)) {
            zero.get(GetRequest.builder().from(zero.getRemoteBlocksImmutable(named)).to(copies).build());
            assertFilled(copies, 80);
        }
        PeerRequest end = new PeerRequest.EndLease(0, peer.epoch(), leased.lease());
        assertThat(one.link.ask(end)).isEqualTo(new PeerAnswer.Done());
        awaitNoLeasesThere();
        assertThat(one.order("available")).isEqualTo("16");
        one.order("reuse");
        PeerAnswer.Leased nothing = (PeerAnswer.Leased) one.link.ask(question);
        assertThat(nothing.lease()).isZero();
        assertThat(one.link.ask(new PeerRequest.EndLease(0, peer.epoch() - 1, leased.lease())))
                .isInstanceOfSatisfying(PeerAnswer.Refused.class,
                        refused -> assertThat(refused.kind()).isEqualTo(RemoteException.Kind.STALE_EPOCH));
    }

    @ParameterizedTest
    @EnumSource(LayoutType.class)
    void aPrefixIsFoundByTheEventsOfAnotherProcessAndReadByItsIdentity(LayoutType layout) {
        Peer peer = meet(LayoutType.FULLY_CONTIGUOUS, layout);
        one.order("take 4");
        one.order("fill 90");
        one.order("register 7");
        IdentityChain chain = ToyWorker.chain(zero, 7, 6);
        PeerRun run = new PeerRun(8);
        try (PeerFeed feed = PeerFeed.of(peering.index(), peer.blockset())) {
            awaitPrefix(feed, chain, run, 4);
            assertThat(run.holder().epoch()).isEqualTo(peer.epoch());
            List<ImmutableBlock> taken = take(chain);
            assertThat(taken).hasSize(4);
            assertFilled(taken, 90);
            pool.closeAll(taken);
            pool.clear();

            awaitNoLeasesThere();
            one.order("reuse");
            assertThat(peering.index().prefix(chain, 0, 6, run)).as("what is believed still").isEqualTo(4);
            assertThat(take(chain)).as("what was replaced meanwhile").isEmpty();
            awaitPrefix(feed, chain, run, 0);

            one.be(worker(1, layout));
            assertThat(feed.take(page(feed.next(0)))).isEqualTo(PeerFeed.Outcome.RESTARTED);
        }
    }

    /** What happens there is told a moment later. */
    private void awaitPrefix(PeerFeed feed, IdentityChain chain, PeerRun run, int blocks) {
        await().untilAsserted(() -> {
            follow(feed);
            assertThat(peering.index().prefix(chain, 0, chain.size(), run)).isEqualTo(blocks);
        });
    }

    /** The end of a lease comes behind the bytes, and nobody waits for it. */
    private void awaitNoLeasesThere() {
        await().untilAsserted(() -> assertThat(one.order("read-leases")).isEqualTo("0"));
    }

    private List<ImmutableBlock> take(IdentityChain chain) {
        List<BlockHandle> blocks = new ArrayList<>(pool.allocateBlocks(chain.size()));
        int taken = peering.taker().take(pool, chain, 0, blocks, new TransferControl(clock, LONG));
        pool.closeAll(blocks.subList(taken, blocks.size()));
        return blocks.subList(0, taken).stream().map(ImmutableBlock.class::cast).toList();
    }

    private EventFrame page(PeerRequest.Events asked) {
        return EventFrameCodec.decode(((PeerAnswer.Events) one.link.ask(asked)).frame());
    }

    /** Asks for pages until one says nothing new. */
    private void follow(PeerFeed feed) {
        PeerRequest.Events asked;
        do {
            asked = feed.next(0);
            assertThat(feed.take(page(asked))).isEqualTo(PeerFeed.Outcome.TAKEN);
        } while (!feed.isFollowing() || !feed.next(0).equals(asked));
    }
}
