package io.kvbm.block;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.error.BlockException;
import io.kvbm.error.TokenException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.NullStorage;
import io.kvbm.token.TokenBlock;
import io.kvbm.token.TokenBlockSequence;
import io.kvbm.token.Tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** What a block holds while it is being filled: the state machine of the reference. */
class MutableBlockTest {

    private static final long SALT = 12345;
    private static final TokenBlock FULL = TokenBlock.first(Tokens.of(1, 2, 3, 4), SALT);

    private final BlockPool pool = pool();
    private final MutableBlock block = pool.allocateBlocks(1).getFirst();

    private static BlockPool pool() {
        BlockLayout layout = BlockLayout.of(
                LayoutConfig.builder().numBlocks(7).numLayers(5).pageSize(4).innerDim(13).build(),
                LayoutType.FULLY_CONTIGUOUS);
        BlockMemory memory = BlockMemory.over(layout, List.of(NullStorage.ofSize(layout.requiredAllocation())));
        return BlockPool.builder(new BlockSet(memory, 42, 0, CacheLevel.G2)).build();
    }

    @AfterEach
    void nothingStaysHeld() {
        block.close();
        assertThat(pool.stats().holders()).isZero();
        assertThat(pool.availableBlocks()).isEqualTo(7);
        pool.close();
    }

    private static void assertWrongState(ThrowingCallable call) {
        assertThatExceptionOfType(BlockException.class).isThrownBy(call)
                .extracting(BlockException::kind)
                .isEqualTo(BlockException.Kind.STATE_INVALID);
    }

    private static void assertTokens(ThrowingCallable call, TokenException.Kind kind) {
        assertThatExceptionOfType(TokenException.class).isThrownBy(call)
                .extracting(TokenException::kind)
                .isEqualTo(kind);
    }

    private void assertTakesNoTokens() {
        assertWrongState(() -> block.addToken(1));
        assertWrongState(() -> block.addTokens(Tokens.of(1)));
        assertWrongState(block::commit);
        assertWrongState(block::popToken);
        assertWrongState(() -> block.popTokens(1));
    }

    @Test
    @DisplayName("T4 state transitions and operations")
    void stateTransitionsAndOperations() {
        assertTakesNoTokens();
        block.initSequence(SALT);
        assertThat(block.state()).isEqualTo(ContentState.PARTIAL);
        assertWrongState(() -> block.applyTokenBlock(FULL));
        assertWrongState(() -> block.initSequence(SALT));
        block.addToken(1);
        block.addToken(2);
        assertThat(block.addTokens(Tokens.of(3))).isEmpty();
        assertThat(block.length()).isEqualTo(3);
        assertThat(block.remaining()).isEqualTo(1);
        assertThat(block.addTokens(Tokens.of(4, 5))).containsExactly(5);
        assertThat(block.addTokens(Tokens.of(4))).containsExactly(4);
        assertThat(block.length()).isEqualTo(4);
        assertThat(block.isFull()).isTrue();
        assertTokens(() -> block.addToken(5), TokenException.Kind.FULL);
        assertThat(block.popToken()).isEqualTo(4);
        assertThat(block.length()).isEqualTo(3);
        block.popTokens(2);
        assertThat(block.length()).isEqualTo(1);
        assertTokens(() -> block.popTokens(2), TokenException.Kind.INSUFFICIENT_TOKENS);
        assertThat(block.length()).isEqualTo(1);
        assertThat(block.popToken()).isEqualTo(1);
        assertThat(block.isEmpty()).isTrue();
        assertThat(block.addTokens(Tokens.of(1, 2, 3, 4))).isEmpty();
        block.commit();
        assertThat(block.state()).isEqualTo(ContentState.COMPLETE);
        assertThat(block.tokens()).contains(Tokens.of(1, 2, 3, 4));
        assertThat(block.sequenceHash()).isEqualTo(FULL.sequenceHash());

        assertTakesNoTokens();
        assertWrongState(() -> block.initSequence(SALT));
        assertWrongState(() -> block.applyTokenBlock(FULL));

        block.reset();
        assertThat(block.state()).isEqualTo(ContentState.RESET);
        assertThat(block.tokens()).isEmpty();
        block.applyTokenBlock(FULL);
        assertThat(block.state()).isEqualTo(ContentState.COMPLETE);
        assertThat(block.tokens()).contains(FULL.tokens());
    }

    @Test
    @DisplayName("T5 a block that is not full is not committed")
    void incompleteCommit() {
        block.initSequence(SALT);
        block.addToken(1);
        block.addTokens(Tokens.of(2, 3));
        assertThat(block.length()).isEqualTo(3);
        assertTokens(block::commit, TokenException.Kind.INCOMPLETE);
        assertThat(block.state()).isEqualTo(ContentState.PARTIAL);
        assertThat(block.length()).isEqualTo(3);
    }

    @Test
    @DisplayName("T6 a wrong state is a block's error, wrong content a token's")
    void errorKinds() {
        block.initSequence(SALT);
        block.addTokens(Tokens.of(1, 2, 3, 4));
        assertTokens(() -> block.addToken(5), TokenException.Kind.FULL);
        assertThat(block.addTokens(Tokens.of(5))).containsExactly(5);
        block.commit();
        assertWrongState(block::commit);
        block.reset();
        block.initSequence(SALT);
        assertTokens(block::popToken, TokenException.Kind.EMPTY);
        assertTokens(() -> block.popTokens(1), TokenException.Kind.INSUFFICIENT_TOKENS);
        block.addToken(1);
        assertTokens(block::commit, TokenException.Kind.INCOMPLETE);
    }

    @Test
    @DisplayName("5.2 what a block tells of itself in each state")
    void whatABlockTellsOfItself() {
        assertTold(ContentState.RESET, 0, 0, true, false, false);
        assertWrongState(block::sequenceHash);
        block.initSequence(SALT);
        assertTold(ContentState.PARTIAL, 0, 4, true, false, true);
        block.addTokens(Tokens.of(1, 2, 3, 4));
        assertTold(ContentState.PARTIAL, 4, 0, false, true, true);
        assertWrongState(block::sequenceHash);
        block.commit();
        assertTold(ContentState.COMPLETE, 4, 0, false, true, true);
        pool.registerBlocks(List.of(block)).close();
        assertTold(ContentState.REGISTERED, 4, 0, false, true, false);
    }

    private void assertTold(ContentState state, int length, int remaining, boolean empty, boolean full,
            boolean tokens) {
        assertThat(block.state()).isEqualTo(state);
        assertThat(block.length()).isEqualTo(length);
        assertThat(block.remaining()).isEqualTo(remaining);
        assertThat(block.isEmpty()).isEqualTo(empty);
        assertThat(block.isFull()).isEqualTo(full);
        assertThat(block.tokens().isPresent()).isEqualTo(tokens);
    }

    @ParameterizedTest
    @EnumSource(value = ContentState.class, names = {"RESET", "PARTIAL", "COMPLETE"})
    void onlyACompleteBlockIsRegistered(ContentState state) {
        reach(block, state);
        if (state == ContentState.COMPLETE) {
            pool.registerBlocks(List.of(block)).close();
        } else {
            assertWrongState(() -> pool.registerBlocks(List.of(block)));
        }
        assertThat(block.isClosed()).isEqualTo(state == ContentState.COMPLETE);
    }

    private static void reach(MutableBlock block, ContentState state) {
        Consumer<MutableBlock> way = switch (state) {
            case RESET -> _ -> {};
            case PARTIAL -> b -> b.initSequence(SALT);
            case COMPLETE, REGISTERED -> b -> b.applyTokenBlock(FULL);
        };
        way.accept(block);
        assertThat(block.state()).isEqualTo(state);
    }

    @ParameterizedTest
    @DisplayName("every pair of content states is a legal move or refused")
    @CsvSource({
        // from, then: legal to RESET, PARTIAL, COMPLETE, REGISTERED
        "RESET,      false, true,  true,  false", //
        "PARTIAL,    true,  false, true,  false", //
        "COMPLETE,   true,  false, false, true", //
        "REGISTERED, true,  false, false, false"})
    void transitionSquare(ContentState from, boolean reset, boolean partial, boolean complete, boolean registered) {
        Map<ContentState, Boolean> legal = Map.of(ContentState.RESET, reset, ContentState.PARTIAL, partial,
                ContentState.COMPLETE, complete, ContentState.REGISTERED, registered);
        for (ContentState to : ContentState.values()) {
            assertThat(from.successors().contains(to)).as("%s to %s", from, to).isEqualTo(legal.get(to));
            if (Boolean.TRUE.equals(legal.get(to))) {
                assertThat(from.to(to)).isEqualTo(to);
            } else {
                assertWrongState(() -> from.to(to));
            }
        }
        assertThat(from.successors()).isNotEqualTo(Set.of());
    }

    @Test
    @DisplayName("BLK-1 a token block of another size is refused in every state")
    void tokenBlockOfAnotherSize() {
        TokenBlock small = TokenBlock.first(Tokens.of(1, 2, 3), SALT);
        assertWrongState(() -> block.applyTokenBlock(small));
        block.initSequence(SALT);
        assertWrongState(() -> block.applyTokenBlock(small));
    }

    @Test
    @DisplayName("D25 blocks filled token by token have the hashes they have in a prompt")
    void decodeBlocksAreChained() {
        List<TokenBlock> prompt = new TokenBlockSequence(Tokens.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 4, 1337)
                .blocks();
        block.applyTokenBlock(prompt.getFirst());
        TokenBlock parent = prompt.getFirst();
        for (int i = 1; i < 3; i++) {
            try (MutableBlock next = pool.allocateBlocks(1).getFirst()) {
                next.initSequence(parent);
                next.addTokens(prompt.get(i).tokens());
                next.commit();
                assertThat(next.sequenceHash()).isEqualTo(prompt.get(i).sequenceHash());
                pool.registerBlocks(List.of(next)).close();
            }
            parent = prompt.get(i);
        }
        assertThat(parent.sequenceHash()).isEqualTo(Long.parseUnsignedLong("12583592247330656132"));
        try (BlockList<ImmutableBlock> found = pool.matchSequenceHashes(prompt.get(1).sequenceHash(),
                prompt.get(2).sequenceHash())) {
            assertThat(found).hasSize(2);
        }
        assertThat(parent.parentSequenceHash())
                .isEqualTo(OptionalLong.of(Long.parseUnsignedLong("4945711292740353085")));
    }

    @Test
    void blockOfAnotherSizeCannotBeContinued() {
        TokenBlock wide = TokenBlock.first(Tokens.of(1, 2, 3, 4, 5, 6, 7, 8), SALT);
        assertWrongState(() -> block.initSequence(wide));
        assertThat(block.state()).isEqualTo(ContentState.RESET);
    }

    @Test
    void blockThatIsAllocatedAgainIsReset() {
        block.applyTokenBlock(FULL);
        block.close();
        try (BlockList<MutableBlock> all = pool.allocateBlocks(7)) {
            assertThat(all).extracting(MutableBlock::state).containsOnly(ContentState.RESET);
        }
    }
}
