package io.kvbm.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

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
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

/** Finding a prefix of 128 blocks in a pool full of such prefixes. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class MatchBench {

    static final int PREFIX = 128;
    static final int HELD = 16;

    /** A pool that is full of prefixes nobody holds. */
    @State(Scope.Benchmark)
    public static class Full {

        @Param({"XXH3", "SHA256"})
        IdentityKind identity;

        BlockPool pool;
        final List<IdentityChain> resident = new ArrayList<>();
        final List<IdentityChain> absent = new ArrayList<>();
        final List<BlockList<ImmutableBlock>> held = new ArrayList<>();

        @Setup
        public void fill() {
            pool = Pools.pool(identity);
            for (int i = 0; i < Pools.BLOCKS / PREFIX; i++) {
                IdentityChain chain = prefix(i);
                pool.registerBlocks(pool.allocateBlocks(PREFIX), chain, 0).close();
                resident.add(chain);
            }
            for (int i = 0; i < HELD; i++) {
                absent.add(prefix(1_000_000 + i));
            }
        }

        private IdentityChain prefix(int counter) {
            IdentityChain chain = Pools.chain(identity);
            chain.extend(Pools.tokens(7 + counter, PREFIX * Pools.PAGE), 0, PREFIX * Pools.PAGE);
            return chain;
        }

        BlockList<ImmutableBlock> match(IdentityChain chain) {
            return pool.matchBlocks(chain, 0, PREFIX);
        }

        @TearDown
        public void close() {
            held.forEach(BlockList::close);
            pool.close();
        }
    }

    /** The same with the first prefixes held. */
    @State(Scope.Benchmark)
    public static class Held extends Full {

        @Setup
        public void hold() {
            resident.subList(0, HELD).forEach(chain -> held.add(match(chain)));
        }
    }

    /** Which prefix is next; each thread has half of them. */
    @State(Scope.Thread)
    public static class Turn {

        int next;
        int first;

        @Setup
        public void start(ThreadParams thread) {
            first = thread.getThreadIndex() * (Pools.BLOCKS / PREFIX / 2);
        }

        int own() {
            next = (next + 1) % (Pools.BLOCKS / PREFIX / 2);
            return first + next;
        }

        int shared() {
            next = (next + 1) % HELD;
            return next;
        }
    }

    @Benchmark
    public int match_hit_inactive(Full state, Turn turn) {
        try (BlockList<ImmutableBlock> blocks = state.match(state.resident.get(turn.own()))) {
            return require(blocks.size(), PREFIX);
        }
    }

    @Benchmark
    public int match_hit_active(Held state, Turn turn) {
        try (BlockList<ImmutableBlock> blocks = state.match(state.resident.get(turn.shared()))) {
            return require(blocks.size(), PREFIX);
        }
    }

    @Benchmark
    public int match_miss(Full state, Turn turn) {
        try (BlockList<ImmutableBlock> blocks = state.match(state.absent.get(turn.shared()))) {
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
