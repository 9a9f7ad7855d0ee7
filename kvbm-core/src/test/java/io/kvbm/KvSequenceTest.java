package io.kvbm;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.block.Block;
import io.kvbm.block.BlockId;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.Decision;
import io.kvbm.error.PoolException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.ReusePolicy;
import io.kvbm.storage.HostAllocator;

import static io.kvbm.ToyModel.computeTo;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;
import static org.awaitility.Awaitility.await;

class KvSequenceTest {

    private static final Duration LONG = Duration.ofSeconds(30);

    private final KvBlockManager manager = KvBlockManager
            .create(ToyModel.config(24, LayoutType.FULLY_CONTIGUOUS).build());
    private final BlockPool pool = manager.host().orElseThrow();

    @AfterEach
    void nothingIsHeld() {
        assertThat(pool.stats().holders()).isZero();
        assertThat(manager.stats().openSequences()).isZero();
        manager.close();
    }

    private static int[] tokens(int n) {
        return IntStream.range(100, 100 + n).toArray();
    }

    private static List<Integer> list(int... tokens) {
        return Arrays.stream(tokens).boxed().toList();
    }

    private static List<Integer> tokensOf(KvSequence sequence) {
        return IntStream.range(0, sequence.length()).mapToObj(sequence::token).toList();
    }

    private static void verify(KvSequence sequence, String tenant) {
        ToyModel.verify(sequence, tenant, tokensOf(sequence), sequence.computedTokens());
    }

    /** Computes these tokens and lets go of them. */
    private void cache(int[] tokens, String tenant) {
        try (KvSequence sequence = manager.open(tokens, tenant)) {
            computeTo(sequence, tenant, tokens.length);
        }
    }

    private static void assertRetry(PoolException.Kind kind, ThrowingCallable call) {
        assertThatThrownBy(call).asInstanceOf(type(PoolException.class)).satisfies(e -> {
            assertThat(e.kind()).isEqualTo(kind);
            assertThat(e.decision()).isEqualTo(Decision.RETRY);
        });
    }

    private static void assertTooLarge(ThrowingCallable call) {
        assertThatThrownBy(call).asInstanceOf(type(PoolException.class)).satisfies(e -> {
            assertThat(e.kind()).isEqualTo(PoolException.Kind.REQUEST_TOO_LARGE);
            assertThat(e.decision()).isEqualTo(Decision.FATAL);
        });
    }

    private static List<BlockId> ids(KvSequence sequence) {
        return sequence.blocks().stream().map(Block::id).toList();
    }

    // ------------------------------------------------------------------------------------------- open

    @ParameterizedTest
    @MethodSource("lengths")
    @DisplayName("reuse is a multiple of the page and at least one token short of the prompt")
    void reuse(int length) {
        cache(tokens(13), "");
        int[] prompt = tokens(length);
        try (KvSequence sequence = manager.open(prompt, "")) {
            int expected = Math.min(3, Math.max(0, length - 1) / 4) * 4;
            assertThat(sequence.reusedTokens()).isEqualTo(expected);
            assertThat(sequence.computedTokens()).isEqualTo(expected);
            assertThat(sequence.sharedBlocks()).isEqualTo(expected / 4);
            assertThat(sequence.length()).isEqualTo(length);
            assertThat(sequence.blocks()).hasSize((length + 3) / 4);
            verify(sequence, "");
            for (int i = 0; i < sequence.blocks().size(); i++) {
                Block block = sequence.blocks().get(i);
                assertThat(block).isInstanceOf(i < expected / 4 ? ImmutableBlock.class : MutableBlock.class);
                assertThat(block.segment().isReadOnly()).isEqualTo(i < expected / 4);
            }
        }
    }

    static IntStream lengths() {
        return IntStream.rangeClosed(0, 18);
    }

    @Test
    void anEmptyPromptGrowsFromNothing() {
        try (KvSequence sequence = manager.open(new int[0], "")) {
            assertThat(sequence.blocks()).isEmpty();
            sequence.computed(0);
            for (int i = 0; i < 9; i++) {
                sequence.append(i);
                computeTo(sequence, "", i + 1);
            }
            assertThat(sequence.blocks()).hasSize(3);
            assertThat(sequence.sharedBlocks()).isEqualTo(2);
            assertThat(sequence.reusedTokens()).isZero();
            verify(sequence, "");
        }
        try (KvSequence again = manager.open(IntStream.range(0, 9).toArray(), "")) {
            assertThat(again.reusedTokens()).isEqualTo(8);
            verify(again, "");
        }
    }

    @Test
    @DisplayName("a full hit puts the last block into a private one, which is given up when it is computed")
    void fullHit() {
        cache(tokens(8), "");
        try (KvSequence holder = manager.open(tokens(9), ""); KvSequence sequence = manager.open(tokens(8), "")) {
            assertThat(holder.reusedTokens()).isEqualTo(8);
            assertThat(sequence.reusedTokens()).isEqualTo(4);
            assertThat(ids(sequence).get(0)).isEqualTo(ids(holder).get(0));
            assertThat(ids(sequence).get(1)).isNotEqualTo(ids(holder).get(1));
            assertThat(sequence.blocks().get(1).segment().isReadOnly()).isFalse();
            computeTo(sequence, "", 8);
            assertThat(ids(sequence)).isEqualTo(ids(holder).subList(0, 2));
            assertThat(pool.stats().registrations()).isEqualTo(2);
        }
    }

    @Test
    void oneDifferentTokenEndsTheReuse() {
        cache(tokens(16), "");
        for (int changed = 0; changed < 16; changed++) {
            int[] prompt = tokens(16);
            prompt[changed] ^= 1 << 30;
            try (KvSequence sequence = manager.open(prompt, "")) {
                assertThat(sequence.reusedTokens()).isEqualTo(Math.min(12, changed / 4 * 4));
                verify(sequence, "");
            }
        }
    }

    @Test
    void tenantsNeverShare() {
        cache(tokens(12), "");
        cache(tokens(12), "a");
        for (String tenant : List.of("b", "A", "a ", "\u0000")) {
            try (KvSequence sequence = manager.open(tokens(12), tenant)) {
                assertThat(sequence.reusedTokens()).as("tenant '%s'", tenant).isZero();
            }
        }
        for (String tenant : List.of("", "a")) {
            try (KvSequence sequence = manager.open(tokens(12), tenant)) {
                assertThat(sequence.reusedTokens()).isEqualTo(8);
                verify(sequence, tenant);
            }
        }
    }

    @Test
    void thePromptBelongsToTheCallerAfterOpen() {
        int[] prompt = tokens(6);
        try (KvSequence sequence = manager.open(prompt, "")) {
            Arrays.fill(prompt, -1);
            computeTo(sequence, "", 6);
            sequence.append(106);
            sequence.append(107);
            computeTo(sequence, "", 8);
            assertThat(tokensOf(sequence)).isEqualTo(list(tokens(8)));
        }
        try (KvSequence sequence = manager.open(tokens(9), "")) {
            assertThat(sequence.reusedTokens()).isEqualTo(8);
            verify(sequence, "");
        }
    }

    @Test
    void whatNeverFitsIsNoRetry() {
        cache(tokens(40), "");
        assertTooLarge(() -> manager.open(tokens(97), ""));
        assertTooLarge(() -> manager.open(tokens(97), "", LONG));
        try (KvSequence sequence = manager.open(tokens(96), "")) {
            assertThat(sequence.reusedTokens()).isEqualTo(40);
            assertTooLarge(() -> sequence.append(1));
            assertThat(sequence.length()).isEqualTo(96);
            computeTo(sequence, "", 96);
            assertTooLarge(() -> sequence.append(1));
            verify(sequence, "");
        }
    }

    @Test
    void aFullPoolIsARetryThatTakesNothing() {
        cache(tokens(8), "");
        try (BlockList<MutableBlock> hog = pool.allocateBlocks(21)) {
            assertThat(hog).hasSize(21);
            assertRetry(PoolException.Kind.NOT_ENOUGH_BLOCKS, () -> manager.open(tokens(20), ""));
            assertRetry(PoolException.Kind.DEADLINE_EXCEEDED,
                    () -> manager.open(tokens(20), "", Duration.ofMillis(10)));
            assertRetry(PoolException.Kind.DEADLINE_EXCEEDED, () -> manager.open(tokens(20), "", Duration.ZERO));
            assertThat(pool.stats().holders()).isEqualTo(21);
            assertThat(pool.stats().inactive()).isEqualTo(2);
            try (KvSequence sequence = manager.open(tokens(9), "")) {
                assertThat(sequence.reusedTokens()).isEqualTo(8);
            }
        }
        assertThat(manager.stats().sequencesOpened()).isEqualTo(2);
    }

    @Test
    void openWaitsForBlocks() throws Exception {
        cache(tokens(8), "");
        BlockList<MutableBlock> hog = pool.allocateBlocks(21);
        CompletableFuture<Integer> reused = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try (KvSequence sequence = manager.open(tokens(20), "", LONG)) {
                verify(sequence, "");
                reused.complete(sequence.reusedTokens());
            } catch (InterruptedException | RuntimeException e) {
                reused.completeExceptionally(e);
            }
        });
        await().until(() -> pool.stats().waiters() == 1);
        hog.close();
        assertThat(reused.get(30, TimeUnit.SECONDS)).isEqualTo(8);
        await().until(() -> manager.stats().openSequences() == 0);
    }

    @Test
    void anInterruptedOpenTakesNothing() throws Exception {
        cache(tokens(8), "");
        try (BlockList<MutableBlock> hog = pool.allocateBlocks(22)) {
            CompletableFuture<Throwable> outcome = new CompletableFuture<>();
            Thread waiting = Thread.ofPlatform().start(() -> {
                try {
                    manager.open(tokens(20), "", LONG).close();
                    outcome.complete(new AssertionError("opened"));
                } catch (InterruptedException | RuntimeException e) {
                    outcome.complete(e);
                }
            });
            await().until(() -> pool.stats().waiters() == 1);
            waiting.interrupt();
            assertThat(outcome.get(30, TimeUnit.SECONDS)).isInstanceOf(InterruptedException.class);
            assertThat(pool.stats().holders()).isEqualTo(hog.size());
            assertThat(pool.stats().waiters()).isZero();
        }
    }

    // ------------------------------------------------------------------------------------------- append, computed

    @Test
    void onlyFullBlocksBelowWhatIsComputedAreRegistered() {
        try (KvSequence sequence = manager.open(tokens(10), "")) {
            ToyModel.compute(sequence, "", 0, 10);
            int[] registered = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2};
            for (int n = 0; n <= 10; n++) {
                sequence.computed(n);
                assertThat(sequence.computedTokens()).isEqualTo(n);
                assertThat(sequence.sharedBlocks()).isEqualTo(registered[n]);
                assertThat(pool.stats().registrations()).isEqualTo(registered[n]);
            }
            sequence.append(110);
            assertThat(sequence.computedTokens()).isEqualTo(10);
            assertThat(pool.stats().registrations()).isEqualTo(2);
        }
    }

    @Test
    void computedRefusesWhatCannotBe() {
        cache(tokens(8), "");
        try (KvSequence sequence = manager.open(tokens(10), "")) {
            for (int n : new int[]{-1, 0, 7, 11, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
                assertThatThrownBy(() -> sequence.computed(n)).isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining(n + " tokens");
            }
            sequence.computed(8);
            assertThat(sequence.computedTokens()).isEqualTo(8);
        }
    }

    @Test
    void appendTakesABlockOnlyWhereTheLastIsFull() {
        try (KvSequence sequence = manager.open(tokens(3), "")) {
            assertThat(pool.stats().owned()).isOne();
            sequence.append(103);
            assertThat(pool.stats().owned()).isOne();
            sequence.append(104);
            assertThat(pool.stats().owned()).isEqualTo(2);
            assertThat(sequence.token(4)).isEqualTo(104);
            assertThatThrownBy(() -> sequence.token(5)).isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> sequence.token(-1)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 16})
    void sequencesGrowWithPagesOfAnySize(int pageSize) {
        KvBlockManagerConfig config = KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(1).build())
                .model(ToyModel.model(pageSize).build())
                .hostLayout(KvManagerLayoutConfig.builder().numBlocks(60).allocator(HostAllocator.create()).build())
                .build();
        try (KvBlockManager other = KvBlockManager.create(config)) {
            for (int length = 0; length < 20; length++) {
                try (KvSequence sequence = other.open(tokens(length), "")) {
                    assertThat(sequence.reusedTokens()).isEqualTo(Math.max(0, length - 1) / pageSize * pageSize);
                    verify(sequence, "");
                    computeTo(sequence, "", length);
                    for (int i = length; i < 30; i++) {
                        sequence.append(100 + i);
                        computeTo(sequence, "", i + 1);
                    }
                    assertThat(tokensOf(sequence)).isEqualTo(list(tokens(30)));
                    verify(sequence, "");
                }
            }
            assertThat(other.host().orElseThrow().stats().holders()).isZero();
        }
    }

    @Test
    void aFullPoolInAppendLeavesTheSequenceUsable() {
        try (KvSequence sequence = manager.open(tokens(4), "")) {
            computeTo(sequence, "", 4);
            List<BlockId> before = ids(sequence);
            try (BlockList<MutableBlock> hog = pool.allocateBlocks(23)) {
                assertThat(hog).isNotEmpty();
                assertRetry(PoolException.Kind.NOT_ENOUGH_BLOCKS, () -> sequence.append(104));
                assertThat(sequence.length()).isEqualTo(4);
                assertThat(ids(sequence)).isEqualTo(before);
            }
            sequence.append(104);
            computeTo(sequence, "", 5);
            verify(sequence, "");
        }
    }

    @Test
    @DisplayName("two sequences that compute the same prompt end up with the same blocks")
    void duplicatesAreGivenBack() {
        try (KvSequence first = manager.open(tokens(10), ""); KvSequence second = manager.open(tokens(10), "")) {
            assertThat(ids(first)).doesNotContainAnyElementsOf(ids(second));
            assertThat(pool.stats().owned()).isEqualTo(6);
            computeTo(first, "", 4);
            computeTo(second, "", 10);
            assertThat(ids(second).get(0)).isEqualTo(ids(first).get(0));
            List<BlockId> firsts = ids(first);
            computeTo(first, "", 10);
            assertThat(ids(first).get(1)).isEqualTo(ids(second).get(1)).isNotEqualTo(firsts.get(1));
            assertThat(ids(first).get(2)).isNotEqualTo(ids(second).get(2));
            assertThat(pool.stats().registrationDedup()).isEqualTo(2);
            assertThat(pool.stats().active()).isEqualTo(2);
            assertThat(pool.stats().owned()).isEqualTo(2);
            assertThat(pool.stats().holders()).isEqualTo(6);
            verify(first, "");
            verify(second, "");
        }
        assertThat(pool.stats().inactive()).isEqualTo(2);
    }

    @Test
    void whatIsClearedWhileHeldStaysReadableAndIsFoundNoMore() {
        cache(tokens(8), "");
        try (KvSequence sequence = manager.open(tokens(10), "")) {
            assertThat(pool.clear()).isEqualTo(2);
            verify(sequence, "");
            computeTo(sequence, "", 10);
            sequence.append(110);
            sequence.append(111);
            computeTo(sequence, "", 12);
            assertThat(sequence.sharedBlocks()).isEqualTo(3);
            sequence.truncate(6);
            verify(sequence, "");
            try (KvSequence fork = sequence.fork(); KvSequence other = manager.open(tokens(9), "")) {
                verify(fork, "");
                assertThat(other.reusedTokens()).isZero();
            }
        }
        assertThat(pool.stats().free() + pool.stats().inactive()).isEqualTo(24);
    }

    @Test
    @DisplayName("two that wait for blocks do not hold what the other one waits for")
    void waitingWithoutHolding() throws Exception {
        try (KvBlockManager small = KvBlockManager.create(ToyModel.config(15, LayoutType.FULLY_CONTIGUOUS).build())) {
            BlockPool blocks = small.host().orElseThrow();
            int[] first = IntStream.range(1000, 1044).toArray();
            int[] second = IntStream.range(2000, 2044).toArray();
            for (int[] prompt : List.of(first, second)) {
                try (KvSequence sequence = small.open(Arrays.copyOf(prompt, 20), "")) {
                    computeTo(sequence, "", 20);
                }
            }
            BlockList<MutableBlock> others = blocks.allocateBlocks(5);
            ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
            try (threads) {
                List<Future<Integer>> reused = new ArrayList<>();
                for (int[] prompt : List.of(first, second)) {
                    reused.add(threads.submit(() -> {
                        try (KvSequence sequence = small.open(prompt, "", LONG)) {
                            return sequence.reusedTokens();
                        }
                    }));
                }
                await().until(() -> blocks.stats().waiters() == 2);
                assertThat(blocks.stats().holders()).isEqualTo(5);
                others.close();
                for (Future<Integer> future : reused) {
                    assertThat(future.get(10, TimeUnit.SECONDS)).isNotNegative();
                }
            }
            assertThat(blocks.stats().holders()).isZero();
        }
    }

    // ------------------------------------------------------------------------------------------- truncate

    @Test
    @DisplayName("a sequence that has all blocks there are copies into one that it drops")
    void truncatingAFullPool() {
        try (KvBlockManager small = KvBlockManager.create(ToyModel.config(4, LayoutType.FULLY_CONTIGUOUS).build());
                KvSequence sequence = small.open(tokens(16), "")) {
            computeTo(sequence, "", 14);
            sequence.truncate(6);
            verify(sequence, "");
            computeTo(sequence, "", 6);
            verify(sequence, "");
        }
    }

    @Test
    @DisplayName("a sequence of registered blocks alone that has all there are gives the dropped ones back for the copy")
    void truncatingAFullPoolOfRegisteredBlocks() {
        try (KvBlockManager small = KvBlockManager.create(ToyModel.config(4, LayoutType.FULLY_CONTIGUOUS).build());
                KvSequence sequence = small.open(tokens(16), "")) {
            computeTo(sequence, "", 16);
            sequence.truncate(6);
            assertThat(sequence.length()).isEqualTo(6);
            verify(sequence, "");
            assertTooLarge(() -> {
                try (KvSequence whole = KvBlockManager.create(ToyModel.config(4, LayoutType.FULLY_CONTIGUOUS).build())
                        .open(tokens(16), "")) {
                    computeTo(whole, "", 16);
                    whole.truncate(15);
                }
            });
        }
    }

    @ParameterizedTest
    @MethodSource("positions")
    void truncatingAtEveryPositionOfFiveBlocks(int n) {
        cache(tokens(20), "");
        try (KvSequence keeper = manager.open(tokens(21), ""); KvSequence sequence = manager.open(tokens(20), "")) {
            computeTo(sequence, "", 20);
            assertThat(sequence.sharedBlocks()).isEqualTo(5);
            List<BlockId> shared = ids(keeper).subList(0, 5);
            sequence.truncate(n);
            assertThat(sequence.length()).isEqualTo(n);
            assertThat(sequence.computedTokens()).isEqualTo(n);
            assertThat(sequence.sharedBlocks()).isEqualTo(n / 4);
            assertThat(sequence.blocks()).hasSize((n + 3) / 4);
            assertThat(ids(sequence).subList(0, n / 4)).isEqualTo(shared.subList(0, n / 4));
            verify(sequence, "");
            if (n % 4 != 0) {
                Block copy = sequence.blocks().getLast();
                assertThat(copy.id()).isNotEqualTo(shared.get(n / 4));
                assertThat(copy.segment().isReadOnly()).isFalse();
                assertThat(copy.segment().mismatch(keeper.blocks().get(n / 4).segment())).isEqualTo(-1);
            }
            assertThat(pool.stats().owned()).isEqualTo(n % 4 == 0 ? 1 : 2);
            for (int i = n; i < 22; i++) {
                sequence.append(i % 3 == 0 ? -i : 100 + i);
                computeTo(sequence, "", i + 1);
            }
            verify(sequence, "");
            verify(keeper, "");
            ToyModel.verify(keeper, "", list(tokens(21)), 20);
        }
        try (KvSequence again = manager.open(tokens(21), "")) {
            assertThat(again.reusedTokens()).isEqualTo(20);
            verify(again, "");
        }
    }

    static IntStream positions() {
        return IntStream.rangeClosed(0, 20);
    }

    @Test
    void truncatingWhatIsNotComputedForgetsTokensOnly() {
        try (KvSequence sequence = manager.open(tokens(14), "")) {
            computeTo(sequence, "", 6);
            sequence.truncate(11);
            assertThat(sequence.computedTokens()).isEqualTo(6);
            assertThat(sequence.blocks()).hasSize(3);
            sequence.truncate(11);
            sequence.append(7);
            assertThat(sequence.blocks()).hasSize(3);
            computeTo(sequence, "", 12);
            verify(sequence, "");
            for (int n : new int[]{-1, 13, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
                assertThatThrownBy(() -> sequence.truncate(n)).isInstanceOf(IndexOutOfBoundsException.class);
            }
            assertThat(sequence.length()).isEqualTo(12);
        }
    }

    @Test
    void aFullPoolInTruncateLeavesTheSequenceUnchangedWhereItGivesNothingBack() {
        try (KvSequence sequence = manager.open(tokens(8), "")) {
            computeTo(sequence, "", 8);
            List<BlockId> before = ids(sequence);
            try (BlockList<MutableBlock> hog = pool.allocateBlocks(22)) {
                assertThat(hog).isNotEmpty();
                assertRetry(PoolException.Kind.NOT_ENOUGH_BLOCKS, () -> sequence.truncate(7));
                assertThat(ids(sequence)).isEqualTo(before);
                assertThat(sequence.length()).isEqualTo(8);
                verify(sequence, "");
                sequence.truncate(4);
                assertThat(sequence.blocks()).hasSize(1);
            }
            sequence.truncate(3);
            verify(sequence, "");
        }
    }

    // ------------------------------------------------------------------------------------------- fork

    @ParameterizedTest
    @EnumSource
    void aForkSharesFullBlocksAndCopiesThePartialOne(LayoutType layout) {
        try (KvBlockManager other = KvBlockManager.create(ToyModel.config(24, layout).build())) {
            BlockPool blocks = other.host().orElseThrow();
            KvSequence parent = other.open(tokens(14), "t");
            computeTo(parent, "t", 10);
            KvSequence fork = parent.fork();
            assertThat(fork.length()).isEqualTo(14);
            assertThat(fork.computedTokens()).isEqualTo(10);
            assertThat(fork.sharedBlocks()).isEqualTo(2);
            assertThat(ids(fork).subList(0, 2)).isEqualTo(ids(parent).subList(0, 2));
            assertThat(ids(fork).subList(2, 4)).doesNotContainAnyElementsOf(ids(parent));
            verify(fork, "t");
            fork.truncate(11);
            fork.append(-1);
            computeTo(fork, "t", 12);
            computeTo(parent, "t", 14);
            verify(fork, "t");
            verify(parent, "t");
            KvSequence second = fork.fork();
            fork.close();
            parent.close();
            second.append(-2);
            computeTo(second, "t", 13);
            verify(second, "t");
            assertThat(tokensOf(second).subList(11, 13)).containsExactly(-1, -2);
            second.close();
            assertThat(blocks.stats().holders()).isZero();
            assertThat(other.stats().sequencesOpened()).isEqualTo(3);
            assertThat(other.stats().openSequences()).isZero();
        }
    }

    @Test
    void aForkThatAppendsTheSameTokensSharesAgain() {
        try (KvSequence parent = manager.open(tokens(6), ""); KvSequence fork = parent.fork()) {
            assertThat(fork.computedTokens()).isZero();
            computeTo(parent, "", 6);
            computeTo(fork, "", 6);
            parent.append(106);
            parent.append(107);
            fork.append(106);
            fork.append(107);
            computeTo(fork, "", 8);
            computeTo(parent, "", 8);
            assertThat(ids(parent)).isEqualTo(ids(fork));
            verify(parent, "");
        }
        try (KvSequence empty = manager.open(new int[0], ""); KvSequence fork = empty.fork()) {
            assertThat(fork.blocks()).isEmpty();
        }
    }

    @Test
    void aFullPoolInForkLeavesTheSequenceUsable() {
        try (KvSequence sequence = manager.open(tokens(10), "")) {
            computeTo(sequence, "", 10);
            try (BlockList<MutableBlock> hog = pool.allocateBlocks(21)) {
                assertRetry(PoolException.Kind.NOT_ENOUGH_BLOCKS, sequence::fork);
                assertThat(pool.stats().holders()).isEqualTo(3 + hog.size());
            }
            assertThat(manager.stats().sequencesOpened()).isOne();
            sequence.fork().close();
            verify(sequence, "");
        }
    }

    @Test
    void aCopyThatFailsLeaksNothing() {
        AtomicLong now = new AtomicLong();
        AtomicLong step = new AtomicLong();
        try (KvBlockManager slow = KvBlockManager.create(ToyModel.config(8, LayoutType.LAYER_SEPARATE)
                .clock(() -> now.getAndAdd(step.get()))
                .build())) {
            BlockPool blocks = slow.host().orElseThrow();
            try (KvSequence sequence = slow.open(tokens(10), "")) {
                computeTo(sequence, "", 10);
                List<BlockId> before = ids(sequence);
                step.set(Duration.ofHours(1).toNanos());
                assertThatThrownBy(sequence::fork).isInstanceOf(TransferException.class);
                assertThatThrownBy(() -> sequence.truncate(6)).isInstanceOf(TransferException.class);
                assertThat(ids(sequence)).isEqualTo(before);
                assertThat(sequence.length()).isEqualTo(10);
                assertThat(blocks.stats().holders()).isEqualTo(3);
                step.set(0);
                sequence.truncate(6);
                sequence.fork().close();
                verify(sequence, "");
            }
            assertThat(blocks.stats().holders()).isZero();
        }
    }

    // ------------------------------------------------------------------------------------------- close

    @ParameterizedTest
    @EnumSource
    @DisplayName("D13: blocks go back tail first, so that an eviction shortens a prefix by its end")
    void tailFirst(ReusePolicy policy) {
        for (int evicted = 0; evicted <= 5; evicted++) {
            try (KvBlockManager other = KvBlockManager
                    .create(ToyModel.config(6, LayoutType.FULLY_CONTIGUOUS).reusePolicy(policy).build())) {
                BlockPool blocks = other.host().orElseThrow();
                KvSequence sequence = other.open(tokens(20), "");
                computeTo(sequence, "", 20);
                sequence.close();
                assertThat(blocks.stats().holders()).isZero();
                blocks.allocateBlocks(1 + evicted).close();
                try (KvSequence again = other.open(tokens(21), "")) {
                    assertThat(again.reusedTokens()).isEqualTo(20 - 4 * evicted);
                    verify(again, "");
                }
                sequence.close();
                assertThat(blocks.stats().holders()).isZero();
            }
        }
    }

    @Test
    void aClosedSequenceRefusesEverythingThatNeedsBlocks() {
        KvSequence sequence = manager.open(tokens(6), "");
        sequence.close();
        sequence.close();
        assertThatThrownBy(sequence::blocks).isInstanceOf(ClosedException.class);
        assertThatThrownBy(sequence::fork).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> sequence.append(1)).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> sequence.computed(6)).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> sequence.truncate(0)).isInstanceOf(ClosedException.class);
        assertThat(pool.stats().holders()).isZero();
        assertThat(manager.stats().openSequences()).isZero();
        assertThat(manager.stats().sequencesOpened()).isOne();
    }

    @Test
    void blocksCannotBeChangedThroughTheList() {
        try (KvSequence sequence = manager.open(tokens(6), "")) {
            List<Block> blocks = sequence.blocks();
            assertThatThrownBy(() -> blocks.remove(0)).isInstanceOf(UnsupportedOperationException.class);
            assertThatThrownBy(blocks::clear).isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    void whatWasAskedForAndFoundIsCounted() {
        cache(tokens(12), "");
        try (KvSequence sequence = manager.open(tokens(10), "")) {
            sequence.fork().close();
            ManagerStats stats = manager.stats();
            assertThat(stats).isEqualTo(new ManagerStats(1, 3, 22, 8, 0, 0));
        }
    }

    // ------------------------------------------------------------------------------------------- leaks

    private void leak() {
        KvSequence sequence = manager.open(tokens(10), "");
        computeTo(sequence, "", 10);
        sequence.fork();
    }

    @Test
    void sequencesThatAreLostGiveTheirBlocksBack() {
        leak();
        await().atMost(LONG).untilAsserted(() -> {
            System.gc();
            assertThat(manager.stats().sequencesLeaked()).isEqualTo(2);
            assertThat(pool.stats().holders()).isZero();
        });
        assertThat(manager.stats().openSequences()).isZero();
        assertThat(pool.stats().leaked()).isZero();
        try (KvSequence sequence = manager.open(tokens(10), "")) {
            assertThat(sequence.reusedTokens()).isEqualTo(8);
            verify(sequence, "");
        }
    }

    private void useTheBlocksAlone() {
        List<Block> blocks = manager.open(tokens(10), "").blocks();
        for (int i = 0; i < 5; i++) {
            System.gc();
        }
        assertThat(manager.stats().sequencesLeaked()).isZero();
        blocks.getLast().segment().fill((byte) 1);
        assertThat(pool.stats().holders()).isEqualTo(3);
    }

    @Test
    void aSequenceIsNotLostWhileItsBlocksAreHeld() {
        useTheBlocksAlone();
        await().atMost(LONG).untilAsserted(() -> {
            System.gc();
            assertThat(pool.stats().holders()).isZero();
        });
        assertThat(manager.stats().sequencesLeaked()).isOne();
    }
}
