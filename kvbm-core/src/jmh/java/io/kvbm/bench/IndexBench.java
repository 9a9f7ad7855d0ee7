package io.kvbm.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.ThreadParams;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.EventFrame;
import io.kvbm.remote.IndexedLevel;
import io.kvbm.remote.PeerFeed;
import io.kvbm.remote.PeerIndex;
import io.kvbm.remote.PeerRun;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

/** Finding a prefix of 128 blocks among what 64 full peers hold, beside finding it in one's own full pool. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class IndexBench {

    static final int PREFIX = 128;
    static final int PEERS = 64;
    private static final int PREFIXES = Pools.BLOCKS / PREFIX;

    /** The peers have a pool's worth of blocks each. */
    @State(Scope.Benchmark)
    public static class Peers {

        /** How many peers hold a prefix. */
        @Param({"1", "64"})
        int copies;

        PeerIndex index;
        BlockPool pool;
        final List<IdentityChain> resident = new ArrayList<>();
        final List<IdentityChain> absent = new ArrayList<>();

        @Setup
        public void fill() {
            index = new PeerIndex(PEERS, PEERS * Pools.BLOCKS, 12345);
            pool = Pools.pool(IdentityKind.XXH3);
            for (int peer = 0; peer < PEERS; peer++) {
                List<StoredBlock> blocks = new ArrayList<>();
                for (int i = 0; i < PREFIXES; i++) {
                    IdentityChain chain = prefix(copies == 1 ? peer * PREFIXES + i : i);
                    for (int b = 0; b < PREFIX; b++) {
                        blocks.add(new StoredBlock(0, 0, OptionalLong.empty(), b, chain.probe(b), i * PREFIX + b, 0));
                    }
                    // of every peer as many, so that the lookups touch as many blocks as the pool has
                    if (copies == 1 ? i < PREFIXES / PEERS : peer == 0) {
                        pool.registerBlocks(pool.allocateBlocks(PREFIX), chain, 0).close();
                        resident.add(chain);
                    }
                }
                PeerFeed feed = new PeerFeed(index, peer, 1, List.of(new IndexedLevel(CacheLevel.G2, 0, Pools.BLOCKS)));
                feed.take(new EventFrame.Held(peer, 1, 0, 0, 0, true, List.of()));
                feed.take(new EventFrame.Events(peer, 1, 0,
                        List.of(new KvEvent.Stored(CacheLevel.G2, Pools.PAGE, blocks))));
            }
            IntStream.range(0, 16).forEach(i -> absent.add(prefix(1_000_000 + i)));
        }

        private static IdentityChain prefix(int counter) {
            IdentityChain chain = Pools.chain(IdentityKind.XXH3);
            chain.extend(Pools.tokens(7 + counter, PREFIX * Pools.PAGE), 0, PREFIX * Pools.PAGE);
            return chain;
        }

        @TearDown
        public void close() {
            pool.close();
        }
    }

    /** Which prefix is next, and where the answer goes. */
    @State(Scope.Thread)
    public static class Turn {

        final PeerRun run = new PeerRun(PREFIX);
        int next;

        @Setup
        public void start(ThreadParams thread) {
            next = thread.getThreadIndex() * PREFIXES / 2;
        }

        IdentityChain of(List<IdentityChain> chains) {
            next = (next + 1) % chains.size();
            return chains.get(next);
        }
    }

    @Benchmark
    public int index_hit(Peers peers, Turn turn) {
        return require(peers.index.prefix(turn.of(peers.resident), 0, PREFIX, turn.run), PREFIX);
    }

    @Benchmark
    public int index_miss(Peers peers, Turn turn) {
        return require(peers.index.prefix(turn.of(peers.absent), 0, PREFIX, turn.run), 0);
    }

    @Benchmark
    public int index_hit_own_pool(Peers peers, Turn turn) {
        try (BlockList<ImmutableBlock> blocks = peers.pool.matchBlocks(turn.of(peers.resident), 0, PREFIX)) {
            return require(blocks.size(), PREFIX);
        }
    }

    @Benchmark
    public int index_miss_own_pool(Peers peers, Turn turn) {
        try (BlockList<ImmutableBlock> blocks = peers.pool.matchBlocks(turn.of(peers.absent), 0, PREFIX)) {
            return require(blocks.size(), 0);
        }
    }

    private static int require(int found, int expected) {
        if (found != expected) {
            throw new IllegalStateException(found + " blocks were found instead of " + expected);
        }
        return found;
    }
}
