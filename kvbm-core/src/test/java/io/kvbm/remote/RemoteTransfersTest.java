package io.kvbm.remote;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockId;
import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutabilityKind;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.block.SlotBoardView;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException.Kind;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.SharedMapping;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;

import static org.assertj.core.api.Assertions.assertThat;

/** A worker with two pools that others may read, and one that they may not, beside another one. */
@EnabledOnOs(OS.LINUX)
class RemoteTransfersTest {

    private static final int BLOCKS = 8;
    private static final int SET = SharedPool.SET;
    private static final long WORKER = -7; // unsigned
    private static final Duration TIME = Duration.ofSeconds(10);

    private final ManualClock clock = new ManualClock();
    private final SharedPool own = SharedPool.of(1, 1, BLOCKS, 16);
    private final SharedPool second = SharedPool.of(2, 1, BLOCKS, 16);
    private final SharedPool worker = SharedPool.of(WORKER, 5, BLOCKS, 16);
    private final BlockPool secret = BlockPool.builder(new BlockSet(
            BlockMemory.allocate(SharedPool.blocks(BLOCKS, 16), LayoutType.FULLY_CONTIGUOUS, HostAllocator.create()),
            7, 1, CacheLevel.G2)).build();
    private final Peers peers = new Peers(own.worker, PeerLimits.DEFAULT, clock,
            PeerMemory.sameHost(ChecksumMode.OFF));
    private final RemoteTransfers transfers = new RemoteTransfers(own.worker,
            List.of(own.pool, second.pool, secret), peers, clock, TIME);
    private final SharedMapping board = SharedMapping.open(ProcessHandle.current().pid(), own.board.descriptor());
    private final List<PeerRequest> asked = new ArrayList<>();
    private PeerLink link = _ -> new PeerAnswer.Done();

    RemoteTransfersTest() {
        peers.importBlockset(worker.blockset(), request -> {
            asked.add(request);
            return link.ask(request);
        });
    }

    @AfterEach
    void nothingStaysPinned() {
        for (BlockPool pool : List.of(own.pool, second.pool, worker.pool, secret)) {
            assertThat(pool.stats().holders()).isZero();
            pool.close();
        }
        board.close();
        peers.close();
        own.close();
        second.close();
        worker.close();
    }

    private TransferControl control() {
        return new TransferControl(clock, TIME);
    }

    /** What the worker describes, as it is seen from here. */
    private List<RemoteBlock> seen(List<MutableBlock> theirs) {
        return peers.mutable(BlockDescriptorList.ofMutable(theirs));
    }

    private void put(List<? extends MutableBlock> from, List<RemoteBlock> to) {
        transfers.put(new PutRequest(from, to, ""), control());
    }

    private void get(List<RemoteBlock> from, List<MutableBlock> to) {
        transfers.get(new GetRequest(from, to, ""), control());
    }

    private static RemoteBlock changed(RemoteBlock block, long epoch, int slot, OptionalLong generation) {
        return new RemoteBlock(new BlockId(WORKER, block.id().blockSet(), slot), epoch, block.layout(),
                block.storageType(), MutabilityKind.MUTABLE, generation);
    }

    // ---------------------------------------------------------------------------------------------- both

    @Test
    void listsThatDoNotFitTogetherAreRefused() {
        try (BlockList<MutableBlock> mine = own.pool.allocateBlocks(2);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(2)) {
            List<RemoteBlock> remote = seen(theirs);
            List<RemoteBlock> one = remote.subList(0, 1);
            List<RemoteBlock> twice = List.of(remote.get(0), remote.get(0));
            String longText = "x".repeat(RemoteRequest.MAX_NOTIFICATION_BYTES + 1);
            Refused.with(Kind.COUNT_MISMATCH, () -> put(mine, one));
            Refused.with(Kind.COUNT_MISMATCH, () -> get(one, mine));
            Refused.with(Kind.NO_BLOCKS, () -> PutRequest.builder().build());
            Refused.with(Kind.NO_BLOCKS, () -> GetRequest.builder().build());
            Refused.with(Kind.INVALID_REQUEST, () -> put(mine, twice));
            Refused.with(Kind.INVALID_REQUEST, () -> get(remote, List.of(mine.get(0), mine.get(0))));
            Refused.with(Kind.INVALID_REQUEST, () -> new PutRequest(mine, remote, longText));
            Refused.with(Kind.INVALID_REQUEST, () -> new GetRequest(remote, mine, longText));
            get(twice, mine);
        }
        assertThat(asked).isEmpty();
    }

    @Test
    void blocksOfTwoWorkersAreNotMovedInOneRequest() {
        try (SharedPool third = SharedPool.of(9, 1, BLOCKS, 16);
                BlockList<MutableBlock> mine = own.pool.allocateBlocks(2);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(1);
                BlockList<MutableBlock> others = third.pool.allocateBlocks(1)) {
            peers.importBlockset(third.blockset(), null);
            List<RemoteBlock> both = List.of(seen(theirs).getFirst(), seen(others).getFirst());
            Refused.with(Kind.INVALID_REQUEST, () -> put(mine, both));
            Refused.with(Kind.INVALID_REQUEST, () -> get(both, mine));
        }
    }

    @Test
    void blocksOfAnotherShapeAreRefused() {
        try (SharedPool wide = SharedPool.of(3, 1, BLOCKS, 32);
                BlockList<MutableBlock> mine = wide.pool.allocateBlocks(1);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(1)) {
            Refused.with(Kind.SHAPE_MISMATCH, () -> put(mine, seen(theirs)));
            Refused.with(Kind.SHAPE_MISMATCH, () -> get(seen(theirs), mine));
        }
    }

    @Test
    void whatTheOtherWorkerDoesNotHaveIsRefusedBeforeItIsAsked() {
        try (BlockList<MutableBlock> mine = own.pool.allocateBlocks(1);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(1)) {
            RemoteBlock there = seen(theirs).getFirst();
            List<RemoteBlock> stale = List.of(changed(there, 4, 0, OptionalLong.empty()));
            Refused.with(RemoteException.Kind.STALE_EPOCH, () -> put(mine, stale));
            Refused.with(RemoteException.Kind.STALE_EPOCH, () -> get(stale, mine));
            for (int slot : new int[]{-1, BLOCKS, Integer.MAX_VALUE}) {
                for (OptionalLong generation : List.of(OptionalLong.empty(), OptionalLong.of(0))) {
                    List<RemoteBlock> outside = List.of(changed(there, 5, slot, generation));
                    Refused.with(RemoteException.Kind.INDEX_OUT_OF_RANGE, () -> put(mine, outside));
                    Refused.with(RemoteException.Kind.INDEX_OUT_OF_RANGE, () -> get(outside, mine));
                }
            }
            peers.remove(WORKER);
            Refused.with(RemoteException.Kind.UNKNOWN_WORKER, () -> put(mine, List.of(there)));
            Refused.with(RemoteException.Kind.UNKNOWN_WORKER, () -> get(List.of(there), mine));
        }
        assertThat(asked).isEmpty();
    }

    // ---------------------------------------------------------------------------------------------- get

    @Test
    void whateverIsThereIsFetchedIntoPrivateBlocksToo() {
        try (BlockList<MutableBlock> mine = secret.allocateBlocks(2);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(2)) {
            SharedPool.fill(theirs.get(0), 10);
            SharedPool.fill(theirs.get(1), 11);
            transfers.get(new GetRequest(seen(theirs).reversed(), mine, "thanks"), control());
            assertThat(SharedPool.holds(mine.get(0), 11)).isTrue();
            assertThat(SharedPool.holds(mine.get(1), 10)).isTrue();
            assertThat(asked).containsExactly(new PeerRequest.Notify(1, "thanks"));
        }
    }

    @Test
    void sourcesOfWhichSomeOnlyHaveAGenerationAreRefused() {
        IdentityChain chain = SharedPool.chain(1, 2);
        try (BlockList<ImmutableBlock> theirs = worker.register(chain, 0, 2);
                BlockList<MutableBlock> mine = own.pool.allocateBlocks(2)) {
            List<RemoteBlock> named = peers.immutable(BlockDescriptorList.ofImmutable(theirs).withEpoch(5));
            RemoteBlock unnamed = changed(named.get(1), 5, named.get(1).index(), OptionalLong.empty());
            Refused.with(Kind.INVALID_REQUEST, () -> get(List.of(named.get(0), unnamed), mine));
            get(named, mine);
            assertThat(SharedPool.holds(mine.get(1), chain.probe(1))).isTrue();
            RemoteBlock gone = changed(named.get(1), 5, named.get(1).index(), OptionalLong.of(77));
            Refused.with(RemoteException.Kind.STALE_BLOCK, () -> get(List.of(named.get(0), gone), mine));
        }
    }

    @Test
    void aGetEndsWithItsTime() {
        try (BlockList<MutableBlock> mine = own.pool.allocateBlocks(1);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(1)) {
            GetRequest request = new GetRequest(seen(theirs), mine, "not sent");
            TransferControl control = control();
            clock.pass(TIME);
            Refused.with(Kind.DEADLINE_EXCEEDED, () -> transfers.get(request, control));
        }
        assertThat(asked).isEmpty();
    }

    // ---------------------------------------------------------------------------------------------- put

    private boolean isLent(MutableBlock block, long loan) {
        return SlotBoardView.of(board, 1, 1, BLOCKS).isLent(block.index(), loan);
    }

    @Test
    void blocksArePinnedAndLentWhileTheOtherWorkerFetchesThem() {
        try (BlockList<MutableBlock> mine = own.pool.allocateBlocks(2);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(2)) {
            List<RemoteBlock> remote = seen(theirs);
            link = request -> {
                PeerRequest.Pull pull = (PeerRequest.Pull) request;
                assertThat(pull.asker()).isOne();
                assertThat(pull.askerEpoch()).isOne();
                assertThat(pull.epoch()).isEqualTo(5);
                assertThat(pull.sourceSet()).isEqualTo(SET);
                assertThat(pull.targetSet()).isEqualTo(SET);
                assertThat(pull.sources()).containsExactly(mine.get(0).index(), mine.get(1).index());
                assertThat(pull.targets()).containsExactly(theirs.get(0).index(), theirs.get(1).index());
                assertThat(pull.notification()).isEqualTo("text");
                assertThat(isLent(mine.get(0), pull.loans()[0]) && isLent(mine.get(1), pull.loans()[1])).isTrue();
                assertThat(own.pool.stats().holders()).isEqualTo(4);
                return new PeerAnswer.Done();
            };
            transfers.put(new PutRequest(mine, remote, "text"), control());
            PeerRequest.Pull pull = (PeerRequest.Pull) asked.getFirst();
            assertThat(isLent(mine.get(0), pull.loans()[0]) || isLent(mine.get(1), pull.loans()[1])).isFalse();
        }
    }

    @Test
    void blocksOfAPutThatFailsAreTakenBack() {
        try (BlockList<MutableBlock> mine = own.pool.allocateBlocks(1);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(1)) {
            link = _ -> new PeerAnswer.Refused(RemoteException.Kind.NOT_MUTABLE, "not leased");
            Refused.with(RemoteException.Kind.NOT_MUTABLE, () -> put(mine, seen(theirs)));
            assertThat(isLent(mine.getFirst(), ((PeerRequest.Pull) asked.getFirst()).loans()[0])).isFalse();
        }
    }

    @Test
    void aPutWhoseTimeIsOverIsNotBegun() {
        try (BlockList<MutableBlock> mine = own.pool.allocateBlocks(1);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(1)) {
            PutRequest request = new PutRequest(mine, seen(theirs), "");
            TransferControl control = control();
            clock.pass(TIME);
            Refused.with(Kind.DEADLINE_EXCEEDED, () -> transfers.put(request, control));
        }
        assertThat(asked).isEmpty();
    }

    @Test
    void blocksThatOthersCannotReadAreNotPut() {
        try (BlockList<MutableBlock> mine = secret.allocateBlocks(1);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(1)) {
            Refused.with(Kind.INCOMPATIBLE_TYPES, () -> put(mine, seen(theirs)));
        }
        assertThat(asked).isEmpty();
    }

    @Test
    void blocksOfTwoPoolsAreNotPutInOneRequest() {
        try (BlockList<MutableBlock> first = own.pool.allocateBlocks(1);
                BlockList<MutableBlock> other = second.pool.allocateBlocks(1);
                BlockList<MutableBlock> hidden = secret.allocateBlocks(1);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(2)) {
            List<RemoteBlock> remote = seen(theirs);
            Refused.with(Kind.INVALID_REQUEST, () -> put(List.of(first.getFirst(), other.getFirst()), remote));
            Refused.with(Kind.INVALID_REQUEST, () -> put(List.of(first.getFirst(), hidden.getFirst()), remote));
        }
        assertThat(asked).isEmpty();
    }

    @Test
    void blocksThatMayOnlyBeReadAreNotFilled() {
        try (BlockList<MutableBlock> mine = own.pool.allocateBlocks(1);
                BlockList<MutableBlock> theirs = worker.pool.allocateBlocks(1)) {
            List<RemoteBlock> readable = peers.immutable(BlockDescriptorList.ofMutable(theirs));
            Refused.with(RemoteException.Kind.NOT_MUTABLE, () -> put(mine, readable));
        }
    }
}
