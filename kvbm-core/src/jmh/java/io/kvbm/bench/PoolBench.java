package io.kvbm.bench;

import java.util.List;
import java.util.concurrent.TimeUnit;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.Blackhole;
import org.openjdk.jmh.infra.ThreadParams;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.TokenBlock;
import io.kvbm.token.TokenHash;
import io.kvbm.token.Tokens;

/** Allocating, filling, registering and closing, as the peer's harness does it. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class PoolBench {

    /** A pool of 64-bit identities. */
    @State(Scope.Benchmark)
    public static class Xxh3 {

        @Param({"1", "32"})
        int n;

        BlockPool pool;

        @Setup
        public void open() {
            pool = Pools.pool(IdentityKind.XXH3);
        }

        @TearDown
        public void close() {
            pool.close();
        }
    }

    /** A pool of 256-bit identities. */
    @State(Scope.Benchmark)
    public static class Sha256 {

        BlockPool pool;

        @Setup
        public void open() {
            pool = Pools.pool(IdentityKind.SHA256);
        }

        @TearDown
        public void close() {
            pool.close();
        }
    }

    /** Tokens that no other thread and no other call has. */
    @State(Scope.Thread)
    public static class Source {

        int counter;
        TokenBlock[] ready = {};
        int next;

        @Setup
        public void start(ThreadParams thread) {
            counter = thread.getThreadIndex() << 30;
        }

        int[] tokens(int n) {
            return Pools.tokens(++counter, n);
        }
    }

    /** Blocks hashed beforehand, four times as many as the pool holds. */
    @State(Scope.Thread)
    public static class Hashed extends Source {

        @Setup(Level.Trial)
        public void hash() {
            ready = new TokenBlock[4 * Pools.BLOCKS];
            for (int i = 0; i < ready.length; i++) {
                ready[i] = tokenBlock(tokens(Pools.PAGE));
            }
        }

        TokenBlock take() {
            next = next + 1 == ready.length ? 0 : next + 1;
            return ready[next];
        }
    }

    @Benchmark
    public void alloc_drop(Xxh3 state, Blackhole hole) {
        BlockList<MutableBlock> blocks = state.pool.allocateBlocks(state.n);
        hole.consume(blocks);
        blocks.close();
    }

    @Benchmark
    public void lifecycle_tokens(Xxh3 state, Source source, Blackhole hole) {
        BlockList<MutableBlock> blocks = state.pool.allocateBlocks(state.n);
        for (int i = 0; i < state.n; i++) {
            blocks.get(i).applyTokenBlock(tokenBlock(source.tokens(Pools.PAGE)));
        }
        register(state.pool, blocks, hole);
    }

    @Benchmark
    public void lifecycle_prehashed(Xxh3 state, Hashed source, Blackhole hole) {
        BlockList<MutableBlock> blocks = state.pool.allocateBlocks(state.n);
        for (int i = 0; i < state.n; i++) {
            blocks.get(i).applyTokenBlock(source.take());
        }
        register(state.pool, blocks, hole);
    }

    @Benchmark
    public void lifecycle_chain(Xxh3 state, Source source, Blackhole hole) {
        chain(state.pool, IdentityKind.XXH3, state.n, source, hole);
    }

    @Benchmark
    public void lifecycle_chain_sha256(Sha256 state, Source source, Blackhole hole) {
        chain(state.pool, IdentityKind.SHA256, 32, source, hole);
    }

    private static void chain(BlockPool pool, IdentityKind identity, int n, Source source, Blackhole hole) {
        IdentityChain chain = Pools.chain(identity);
        chain.extend(source.tokens(n * Pools.PAGE), 0, n * Pools.PAGE);
        try (BlockList<ImmutableBlock> registered = pool.registerBlocks(pool.allocateBlocks(n), chain, 0)) {
            hole.consume(registered);
        }
    }

    private static void register(BlockPool pool, List<MutableBlock> blocks, Blackhole hole) {
        try (BlockList<ImmutableBlock> registered = pool.registerBlocks(blocks)) {
            hole.consume(registered);
        }
    }

    private static TokenBlock tokenBlock(int[] tokens) {
        return TokenBlock.first(Tokens.of(tokens), TokenHash.DEFAULT_SALT_HASH);
    }
}
