package io.kvbm.pool;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.error.PoolException;
import io.kvbm.testing.RandomCase;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Threads that share a pool over real memory. Who owns a block writes a pattern of its own and finds it unchanged; who
 * finds a registered block reads what its content says.
 */
@Timeout(300)
class PoolStressTest {

    private static final int BLOCKS = 24;
    private static final int CHAINS = 12;
    private static final int LENGTH = 4;

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();

    @ParameterizedTest
    @CsvSource({"SHA256, LINEAGE, false", "XXH3, PRIORITY, false", "SHA256, LINEAGE, true"})
    void everyHolderFindsItsOwnBytes(IdentityKind kind, ReusePolicy policy, boolean virtual)
            throws InterruptedException {
        Random seeds = RandomCase.random("PoolStressTest " + kind + " " + policy);
        BlockPool pool = subject.track(BlockPool.builder(PoolSubject.hostBlocks(BLOCKS, 4))
                .identity(kind)
                .reusePolicy(policy)
                .events(new RecordedEvents()));
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < (virtual ? 16 : 4); t++) {
            Worker worker = new Worker(pool, t, new Random(seeds.nextLong()),
                    RandomCase.cases(virtual ? 1500 : 6000));
            Runnable run = () -> {
                try {
                    worker.run();
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                }
            };
            threads.add(virtual ? Thread.ofVirtual().start(run) : Thread.ofPlatform().start(run));
        }
        for (Thread thread : threads) {
            while (!thread.join(Duration.ofMillis(50))) {
                subject.assertValid(pool);
            }
        }
        if (failure.get() != null) {
            throw new AssertionError("a worker failed", failure.get());
        }
        assertThat(pool.availableBlocks()).isEqualTo(BLOCKS);
        assertThat(pool.stats().evictions()).isPositive();
        assertThat(pool.stats().matchBlocksReturned()).isPositive();
        assertThat(pool.stats().registrationDedup()).isPositive();
        assertThat(pool.stats().leaked()).isZero();
    }

    private static final class Worker {

        private final BlockPool pool;
        private final int number;
        private final Random random;
        private final int rounds;
        private final List<IdentityChain> chains = new ArrayList<>();

        private Worker(BlockPool pool, int number, Random random, int rounds) {
            this.pool = pool;
            this.number = number;
            this.random = random;
            this.rounds = rounds;
            for (int chain = 0; chain < CHAINS; chain++) {
                chains.add(Content.chain(pool.identity(), 1000 * chain, LENGTH));
            }
        }

        void run() throws InterruptedException {
            for (int round = 0; round < rounds; round++) {
                int chain = random.nextInt(CHAINS);
                if (random.nextInt(400) == 0) {
                    pool.clear();
                }
                try {
                    serve(chain, round);
                } catch (PoolException e) {
                    if (e.kind() != PoolException.Kind.NOT_ENOUGH_BLOCKS
                            && e.kind() != PoolException.Kind.DEADLINE_EXCEEDED) {
                        throw e;
                    }
                }
            }
        }

        /** One request: what is there is checked and reused, the rest is computed and registered. */
        private void serve(int chain, int round) throws InterruptedException {
            List<BlockHandle> held = new ArrayList<>();
            try {
                BlockList<ImmutableBlock> found = pool.matchBlocks(chains.get(chain), 0, LENGTH);
                held.addAll(found);
                for (int i = 0; i < found.size(); i++) {
                    assertPattern(found.get(i).segment(), content(chain, i));
                }
                int missing = LENGTH - found.size();
                BlockList<MutableBlock> own = random.nextBoolean()
                        ? pool.allocateBlocks(missing)
                        : pool.allocateBlocks(missing, Duration.ofMillis(20));
                held.addAll(own);
                long mine = ((long) number << 32 | round) * 31 + 7;
                own.forEach(block -> write(block.segment(), mine));
                if (random.nextInt(8) == 0) {
                    LockSupport.parkNanos(1_000); // lets others register the same meanwhile
                }
                own.forEach(block -> assertPattern(block.segment(), mine));
                if (random.nextInt(4) > 0) {
                    for (int i = 0; i < missing; i++) {
                        write(own.get(i).segment(), content(chain, found.size() + i));
                    }
                    BlockList<ImmutableBlock> shared = pool.registerBlocks(own, chains.get(chain), found.size());
                    held.addAll(shared);
                    for (int i = 0; i < shared.size(); i++) {
                        assertPattern(shared.get(i).segment(), content(chain, found.size() + i));
                    }
                    if (!shared.isEmpty()) {
                        held.add(shared.getLast().share());
                        pinPastItsHandle(shared.getLast(), content(chain, LENGTH - 1));
                    }
                }
                for (int i = 0; i < found.size(); i++) {
                    assertPattern(found.get(i).segment(), content(chain, i));
                }
            } finally {
                Collections.shuffle(held, random);
                held.forEach(BlockHandle::close);
            }
        }

        private static void pinPastItsHandle(ImmutableBlock block, long content) {
            try (Pin pin = block.pin()) {
                block.close();
                Thread.onSpinWait();
                assertPattern(pin.segment(), content);
            }
        }

        private static long content(int chain, int block) {
            return 0x5eed_0000L + chain * 100L + block;
        }

        private static void write(MemorySegment memory, long pattern) {
            for (long at = 0; at < memory.byteSize(); at += Long.BYTES) {
                memory.set(ValueLayout.JAVA_LONG_UNALIGNED, at, pattern + at);
            }
        }

        private static void assertPattern(MemorySegment memory, long pattern) {
            for (long at = 0; at < memory.byteSize(); at += Long.BYTES) {
                long found = memory.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
                if (found != pattern + at) {
                    throw new AssertionError("At byte " + at + " there is " + found + " instead of " + (pattern + at));
                }
            }
        }
    }
}
