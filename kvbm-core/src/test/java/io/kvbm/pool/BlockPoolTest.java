package io.kvbm.pool;

import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

import io.kvbm.block.BlockList;
import io.kvbm.block.ContentState;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.PoolException;
import io.kvbm.error.TokenException;
import io.kvbm.token.TokenBlock;
import io.kvbm.token.TokenBlockSequence;
import io.kvbm.token.Tokens;

import static io.kvbm.pool.Content.blocks;
import static io.kvbm.pool.Content.hashes;
import static io.kvbm.pool.Content.register;
import static io.kvbm.pool.Content.slots;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** The life of blocks in a pool, as the reference tests it. */
class BlockPoolTest {

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();

    @Test
    @DisplayName("T29 blocks are acquired, matched, returned and acquired again")
    void lifecycle() {
        BlockPool pool = subject.track(PoolSubject.builder(10, 2));
        assertThat(pool.totalBlocks()).isEqualTo(10);
        assertThat(pool.availableBlocks()).isEqualTo(10);
        BlockList<MutableBlock> all = pool.allocateBlocks(10);
        assertThat(slots(all)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        assertThat(pool.availableBlocks()).isZero();
        assertThat(pool.totalBlocks()).isEqualTo(10);
        all.close();
        assertThat(pool.availableBlocks()).isEqualTo(10);
        List<TokenBlock> prompt = new TokenBlockSequence(Tokens.of(1, 2, 3, 4), 2, 0).blocks();

        assertThat(pool.matchSequenceHashes(hashes(prompt))).isEmpty();
        BlockList<ImmutableBlock> first = register(pool, prompt);
        assertThat(pool.availableBlocks()).isEqualTo(8);
        first.close();
        assertThat(pool.availableBlocks()).isEqualTo(10);

        BlockList<ImmutableBlock> again = pool.matchSequenceHashes(hashes(prompt));
        assertThat(again).hasSize(2);
        assertThat(pool.availableBlocks()).isEqualTo(8);
        again.close();
        assertThat(pool.availableBlocks()).isEqualTo(10);

        try (BlockList<MutableBlock> last = pool.allocateBlocks(10)) {
            assertThat(last).extracting(MutableBlock::state).containsOnly(ContentState.RESET);
        }
        assertThat(pool.matchSequenceHashes(hashes(prompt))).isEmpty();
    }

    @Test
    @DisplayName("T30 registered blocks match in the order of the request")
    void basicSequenceMatching() {
        BlockPool pool = subject.track(PoolSubject.builder(2, 2));
        register(pool, new TokenBlockSequence(Tokens.of(1, 2, 3, 4), 2, 0).blocks()).close();
        assertThat(pool.availableBlocks()).isEqualTo(2);
        BlockList<ImmutableBlock> found = pool.matchSequenceHashes(254984204845929552L, 1574800886416835749L);
        assertThat(found).extracting(ImmutableBlock::sequenceHash)
                .containsExactly(254984204845929552L, 1574800886416835749L);
        assertThat(pool.availableBlocks()).isZero();
        found.close();
        assertThat(pool.availableBlocks()).isEqualTo(2);
    }

    @Test
    @DisplayName("T31, T32 counts change at once")
    void countsChangeAtOnce() {
        BlockPool pool = subject.pool(7);
        assertThat(pool.availableBlocks()).isEqualTo(7);
        BlockList<MutableBlock> one = pool.allocateBlocks(1);
        assertThat(pool.availableBlocks()).isEqualTo(6);
        one.close();
        assertThat(pool.availableBlocks()).isEqualTo(7);
        try (MutableBlock block = pool.allocateBlocks(1).getFirst()) {
            block.initSequence(1337);
            for (int token = 1; token <= 4; token++) {
                block.addToken(token);
            }
            assertThatExceptionOfType(TokenException.class).isThrownBy(() -> block.addToken(5))
                    .extracting(TokenException::kind)
                    .isEqualTo(TokenException.Kind.FULL);
        }
    }

    @Test
    @DisplayName("T33 a block filled token by token is found under the reference's hash")
    void blockingLifecycle() {
        BlockPool pool = subject.pool(7);
        long hash = Long.parseUnsignedLong("14643705804678351452");
        assertThat(pool.matchSequenceHashes(hash)).isEmpty();
        MutableBlock block = pool.allocateBlocks(1).getFirst();
        block.initSequence(1337);
        for (int token = 1; token <= 4; token++) {
            block.addToken(token);
        }
        assertThatExceptionOfType(TokenException.class).isThrownBy(() -> block.addToken(5));
        block.commit();
        assertThat(block.state()).isEqualTo(ContentState.COMPLETE);
        assertThat(block.sequenceHash()).isEqualTo(hash);
        BlockList<ImmutableBlock> registered = pool.registerBlocks(List.of(block));
        assertThat(block.state()).isEqualTo(ContentState.REGISTERED);
        assertThat(registered).singleElement().extracting(ImmutableBlock::sequenceHash).isEqualTo(hash);
        registered.close();
        try (BlockList<ImmutableBlock> found = pool.matchSequenceHashes(hash)) {
            assertThat(found).singleElement().extracting(ImmutableBlock::sequenceHash).isEqualTo(hash);
        }
    }

    @Test
    @DisplayName("POOL-12 a request over what is available takes nothing and says how many there are")
    void refusedRequestTakesNothing() {
        BlockPool pool = subject.pool(3);
        try (BlockList<MutableBlock> _ = pool.allocateBlocks(2)) {
            assertThatExceptionOfType(PoolException.class).isThrownBy(() -> pool.allocateBlocks(2))
                    .withMessageContaining("2 blocks were asked for and 1 of 3 are available")
                    .extracting(PoolException::kind)
                    .isEqualTo(PoolException.Kind.NOT_ENOUGH_BLOCKS);
            assertThatExceptionOfType(PoolException.class).isThrownBy(() -> pool.allocateBlocks(4))
                    .extracting(PoolException::kind)
                    .isEqualTo(PoolException.Kind.REQUEST_TOO_LARGE);
            assertThat(pool.availableBlocks()).isEqualTo(1);
            assertThat(pool.stats().allocationFailures()).isEqualTo(2);
        }
        assertThat(pool.allocateBlocks(0)).isEmpty();
    }

    @Test
    @DisplayName("POOL-13 two equal blocks in one request share the first, the other goes back")
    void equalBlocksInOneRequestShareTheFirst() {
        RecordedEvents events = new RecordedEvents();
        BlockPool pool = subject.track(PoolSubject.builder(3, 4).events(events));
        TokenBlock block = blocks(1, 1).getFirst();
        try (BlockList<ImmutableBlock> both = register(pool, List.of(block, block))) {
            assertThat(slots(both)).containsExactly(0, 0);
            assertThat(pool.stats().holders()).isEqualTo(2);
            assertThat(pool.stats().registrationDedup()).isEqualTo(1);
            assertThat(pool.availableBlocks()).isEqualTo(2);
            assertThat(events.take()).hasSize(1);
        }
    }

    @Test
    @DisplayName("D12 a content that was evicted is registered and matched again without waiting")
    void evictedContentComesBack() {
        BlockPool pool = subject.track(PoolSubject.builder(2, 4).events(new RecordedEvents()));
        List<TokenBlock> one = blocks(1, 1);
        for (int round = 0; round < 100; round++) {
            register(pool, one).close();
            assertThat(pool.matchSequenceHashes(hashes(one))).hasSize(1).allSatisfy(ImmutableBlock::close);
            pool.allocateBlocks(2).close();
            assertThat(pool.matchSequenceHashes(hashes(one))).isEmpty();
        }
    }

    @Test
    @DisplayName("D13 evicting one block of a chain of three leaves a prefix of two")
    void evictionLeavesThePrefix() {
        BlockPool pool = subject.pool(3);
        List<TokenBlock> chain = blocks(1, 3);
        register(pool, chain).close();
        MutableBlock taken = pool.allocateBlocks(1).getFirst();
        assertThat(taken.index()).isEqualTo(2);
        try (BlockList<ImmutableBlock> left = pool.matchSequenceHashes(hashes(chain))) {
            assertThat(slots(left)).containsExactly(0, 1);
        }
        taken.close();
    }

    @Test
    @DisplayName("D13 even where the handles were closed head first")
    void evictionLeavesThePrefixWhenClosedHeadFirst() {
        BlockPool pool = subject.pool(3);
        List<TokenBlock> chain = blocks(1, 3);
        register(pool, chain).forEach(ImmutableBlock::close);
        List<MutableBlock> taken = new ArrayList<>();
        for (int left = 2; left >= 0; left--) {
            taken.add(pool.allocateBlocks(1).getFirst());
            assertThat(taken.getLast().index()).isEqualTo(left);
            BlockList<ImmutableBlock> found = pool.matchSequenceHashes(hashes(chain));
            assertThat(found).hasSize(left);
            found.forEach(ImmutableBlock::close);
        }
        taken.forEach(MutableBlock::close);
    }

    @Test
    @DisplayName("D14 the whole pool can be allocated right after its release, 1000 times of 1000")
    void allocateRightAfterRelease() {
        BlockPool pool = subject.pool(64);
        for (int round = 0; round < 1000; round++) {
            pool.allocateBlocks(64).close();
        }
        assertThat(pool.stats().allocationFailures()).isZero();
    }

    @Test
    @DisplayName("D15 100,000 distinct blocks through a pool of 16 leave a table of at most 16")
    void distinctContentDoesNotGrowTheTable() {
        BlockPool pool = subject.pool(16);
        int capacity = pool.ledger.table.entries.length;
        for (int i = 0; i < 100_000; i++) {
            MutableBlock block = pool.allocateBlocks(1).getFirst();
            block.applyTokenBlock(TokenBlock.first(Tokens.of(i, i, i, i), 1));
            pool.registerBlocks(List.of(block)).close();
            assertThat(pool.ledger.table.size()).isLessThanOrEqualTo(16);
        }
        assertThat(pool.ledger.table.entries).hasSize(capacity);
        assertThat(pool.stats().registrations()).isEqualTo(100_000);
        assertThat(pool.stats().evictions()).isEqualTo(100_000 - 16);
    }

    @Test
    @DisplayName("D16 pools have no threads that could be left over")
    void poolsLeaveNoThread() {
        subject.pool(2).allocateBlocks(1).close(); // the one net of the whole process starts with its first use
        int before = Thread.activeCount();
        List<BlockPool> pools = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            BlockPool pool = subject.pool(2);
            pool.allocateBlocks(2).close();
            pools.add(pool);
        }
        assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName)
                .noneMatch(name -> name.contains("block-pool"));
        assertThat(Thread.activeCount()).isLessThanOrEqualTo(before);
        pools.forEach(BlockPool::close);
    }

    @Test
    @DisplayName("D18 the counters of a pool tell what happened")
    void countersTellWhatHappened() {
        BlockPool pool = subject.pool(4);
        List<TokenBlock> chain = blocks(1, 3);
        register(pool, chain).close();
        register(pool, chain.subList(0, 1)).close();
        pool.matchSequenceHashes(hashes(blocks(1, 4))).close();
        try (BlockList<MutableBlock> _ = pool.allocateBlocks(2)) {
            PoolStats stats = pool.stats();
            assertThat(stats.total()).isEqualTo(4);
            assertThat(stats.usable()).isEqualTo(4);
            assertThat(stats.allocations()).isEqualTo(6);
            assertThat(stats.evictions()).isEqualTo(1);
            assertThat(stats.allocationsFromReset()).isEqualTo(5);
            assertThat(stats.registrations()).isEqualTo(3);
            assertThat(stats.registrationDedup()).isEqualTo(1);
            assertThat(stats.matchHashesRequested()).isEqualTo(4);
            assertThat(stats.matchBlocksReturned()).isEqualTo(3);
            assertThat(stats.available()).isEqualTo(2);
            assertThat(stats.leaked()).isZero();
        }
    }
}
