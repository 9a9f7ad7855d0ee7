package io.kvbm;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.block.Block;
import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.Blockset;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.Peering;
import io.kvbm.remote.PutRequest;
import io.kvbm.remote.Writer;
import io.kvbm.testing.ProcessTable;

import static io.kvbm.testing.RandomCase.cases;
import static io.kvbm.testing.RandomCase.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/** Worker 1, in a process of its own, is killed in the middle of a copy between it and worker 0, and is started anew. */
@EnabledOnOs(OS.LINUX)
class RemoteWorkerKillTest {

    private static final int COPIED = 8;
    private static final int MAPPED_OF_ONE = 2; // its memory and its side table
    private static final Duration LEASE = Duration.ofSeconds(5);
    private static final Duration LINGER = Duration.ofSeconds(5);

    private final Random random = random("RemoteWorkerKillTest");
    private final CopyClock clock = new CopyClock();
    private final Queue<String> told = new ConcurrentLinkedQueue<>();
    private long mapped;
    private long open;
    private KvBlockManager zero;
    private BlockPool pool;
    private Peering peering;
    private WorkerProcess one;
    private long epoch = 1000;

    /** Of blocks of 256 KiB, so that a copy asks for the time before each. */
    private static ToyWorker worker(long id, long epoch) {
        return new ToyWorker(id, epoch, LayoutType.FULLY_CONTIGUOUS, 2 * COPIED, 2, 1 << 14);
    }

    @BeforeEach
    void meet() throws IOException {
        mapped = ProcessTable.mappings();
        open = ProcessTable.descriptors();
        zero = worker(0, 1).start(clock);
        pool = zero.host().orElseThrow();
        peering = zero.peering().orElseThrow();
        one = WorkerProcess.start(worker(1, epoch));
        introduce();
    }

    private void introduce() {
        one.link.answerBy(peering.desk());
        assertThat(one.order("import")).isEqualTo("true");
        assertThat(peering.importBlockset(one.blockset(0), one.link).isMapped()).isTrue();
    }

    @AfterEach
    void nothingStaysMappedOrOpen() throws IOException {
        one.close();
        assertThat(pool.stats().holders()).isZero();
        assertThat(peering.desk().failures()).isZero();
        zero.close();
        assertThat(ProcessTable.mappings()).as("mappings").isEqualTo(mapped);
        assertThat(ProcessTable.descriptors()).as("open files").isEqualTo(open);
    }

    /** How worker 1 dies as soon as a block of a copy has arrived; returns names of blocks of this life of it. */
    private interface Death {

        BlockDescriptorList after(int block, int seed) throws Exception;
    }

    private void deaths(Death death) throws Exception {
        for (int i = cases(1); i > 0; i--) {
            Blockset blockset = one.blockset(0);
            long mappedNow = ProcessTable.mappings();
            BlockDescriptorList named = death.after(random.nextInt(COPIED - 1), random.nextInt(1 << 20));
            List<RemoteBlock> before = zero.getRemoteBlocksImmutable(named);

            clock.advance(LEASE);
            peering.advance();
            assertThat(peering.leases().stats().readLeases()).isZero();
            assertThat(peering.leases().stats().writeLeases()).isZero();
            assertThat(pool.availableBlocks()).isEqualTo(2 * COPIED);
            if (random.nextBoolean()) {
                forget(mappedNow);
            }
            one.close();
            one = WorkerProcess.start(worker(1, ++epoch));
            introduce();
            clock.advance(LINGER);
            peering.advance();
            assertThat(ProcessTable.mappings()).as("mappings of one life").isEqualTo(mappedNow);

            refused(Kind.STALE_EPOCH, () -> peering.importBlockset(blockset, one.link));
            refused(Kind.STALE_EPOCH,
                    () -> zero.getRemoteBlocksImmutable(named.withEpoch(blockset.epoch())));
            try (BlockList<MutableBlock> mine = pool.allocateBlocks(COPIED)) {
                refused(Kind.STALE_EPOCH, () -> zero.get(new GetRequest(before, mine, "")));
            }
            assertThatBlocksAreServed();
        }
    }

    private void forget(long mappedNow) throws IOException {
        peering.remove(1);
        assertThat(ProcessTable.mappings()).isEqualTo(mappedNow);
        clock.advance(LINGER);
        peering.advance();
        assertThat(peering.peers()).isEmpty();
        assertThat(ProcessTable.mappings()).as("mappings of ours alone").isEqualTo(mappedNow - MAPPED_OF_ONE);
    }

    private void assertThatBlocksAreServed() {
        one.order("take 2");
        one.order("fill 1");
        BlockDescriptorList named = BlockDescriptorList.fromJson(one.order("register 0"));
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(2)) {
            zero.get(new GetRequest(zero.getRemoteBlocksImmutable(named), mine, ""));
            assertFilled(mine, 1);
        }
        one.order("reuse");
    }

    private static void refused(Kind kind, ThrowingCallable call) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(call)
                .satisfies(e -> assertThat(e.kind()).as(e.getMessage()).isEqualTo(kind));
    }

    private static void assertFilled(List<? extends Block> blocks, int seed) {
        assertThat(Filling.firstOther(blocks, seed)).isEmpty();
    }

    private BlockDescriptorList take() {
        return BlockDescriptorList.fromJson(one.order("take " + COPIED));
    }

    /** Kills worker 1 in the thread that copies, as soon as it has copied a block of ours. */
    private void killWhenArrived(List<MutableBlock> mine, int block, int seed) {
        clock.when(() -> Filling.hasArrived(mine, block, seed), () -> {
            assertThat(Filling.hasArrived(mine, COPIED - 1, seed)).as("whether the copy was over").isFalse();
            one.kill();
        });
    }

    /** Kills worker 1 where it stands still in its copy, which its memory shows, and says how the work ends here. */
    private void killWhenArrived(List<RemoteBlock> its, int block, int seed, ThrowingCallable work) throws Exception {
        one.order("stand-still " + block + " " + seed);
        FutureTask<Void> working = new FutureTask<>(() -> {
            refused(Kind.TRANSPORT, work);
            return null;
        });
        Thread.ofPlatform().start(working);
        try (BlockList<MutableBlock> seen = pool.allocateBlocks(1)) {
            await().until(() -> {
                zero.get(new GetRequest(its.subList(block, block + 1), seen, ""));
                return Filling.hasArrived(seen, 0, seed + block);
            });
            one.kill();
            working.get(20, TimeUnit.SECONDS);
            zero.get(new GetRequest(its.subList(COPIED - 1, COPIED), seen, ""));
            assertThat(Filling.hasArrived(seen, 0, seed + COPIED - 1)).as("whether the copy was over").isFalse();
        }
    }

    @Test
    void aWorkerThatDiesWhileItTakesWhatWePutLeavesUsATypedError() throws Exception {
        deaths((block, seed) -> {
            BlockDescriptorList its = take();
            one.order("let-write 0");
            try (BlockList<MutableBlock> mine = pool.allocateBlocks(COPIED)) {
                Filling.fill(mine, seed);
                List<RemoteBlock> remote = zero.getRemoteBlocksMutable(its);
                killWhenArrived(remote, block, seed, () -> zero.put(new PutRequest(mine, remote, "for you")));
            }
            return its;
        });
    }

    @Test
    void whatAWorkerPutsArrivesThoughItDiesMeanwhileAndItsLeaseEnds() throws Exception {
        List<Block> into = new CopyOnWriteArrayList<>();
        peering.desk().listen((_, text) -> told.add(text + Filling.firstOther(into, Integer.parseInt(text))));
        deaths((block, seed) -> {
            BlockDescriptorList its = take();
            one.order("fill " + seed);
            try (BlockList<MutableBlock> mine = pool.allocateBlocks(COPIED)) {
                into.addAll(mine);
                peering.leases().write(pool, mine, 1, Writer.ASKS, LEASE);
                killWhenArrived(mine, block, seed);
                String put = "put " + seed + " " + BlockDescriptorList.ofMutable(mine).toJson();
                refused(Kind.TRANSPORT, () -> one.order(put));
                await().until(() -> !told.isEmpty());
                assertThat(told).containsExactly(seed + "Optional.empty");
            }
            told.clear();
            into.clear();
            assertThat(pool.availableBlocks()).as("blocks that it may have written").isEqualTo(COPIED);
            return its;
        });
    }

    @Test
    void whatIsFetchedFromAWorkerThatDiesMeanwhileIsRight() throws Exception {
        deaths((block, seed) -> {
            take();
            one.order("fill " + seed);
            BlockDescriptorList its = BlockDescriptorList.fromJson(one.order("register 0"));
            try (BlockList<MutableBlock> mine = pool.allocateBlocks(COPIED)) {
                List<RemoteBlock> remote = zero.getRemoteBlocksImmutable(its);
                killWhenArrived(mine, block, seed);
                refused(Kind.TRANSPORT, () -> zero.get(new GetRequest(remote, mine, "got them")));
                assertFilled(mine, seed);
                Filling.fill(mine, ~seed);
                zero.get(new GetRequest(remote, mine, ""));
                assertFilled(mine, seed);
            }
            return its;
        });
    }

    @Test
    void whatAWorkerReadsWhenItDiesIsFreeWithTheEndOfItsLease() throws Exception {
        deaths((block, seed) -> {
            BlockDescriptorList its = take();
            List<RemoteBlock> remote = zero.getRemoteBlocksMutable(its);
            try (BlockList<MutableBlock> mine = pool.allocateBlocks(COPIED)) {
                Filling.fill(mine, seed);
                String named;
                try (BlockList<ImmutableBlock> registered = pool.registerBlocks(mine,
                        ToyWorker.chain(zero, seed, COPIED), 0)) {
                    named = BlockDescriptorList.ofImmutable(registered).toJson();
                }
                one.order("lease " + named);
                killWhenArrived(remote, block, seed, () -> one.order("get got-them " + named));
            }
            assertThat(peering.leases().stats().readLeases()).isOne();
            assertThat(pool.availableBlocks()).as("blocks that it may read").isEqualTo(COPIED);
            return its;
        });
    }
}
