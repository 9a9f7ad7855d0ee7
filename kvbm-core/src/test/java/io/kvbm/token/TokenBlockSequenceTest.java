package io.kvbm.token;

import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.stream.IntStream;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.error.TokenException.Kind;
import io.kvbm.testing.RandomCase;

import static io.kvbm.token.TokenBlockTest.assertRefused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

class TokenBlockSequenceTest {

    private static final OptionalLong NONE = OptionalLong.empty();
    private static final OptionalLong FIRST = OptionalLong.of(Long.parseUnsignedLong("14643705804678351452"));
    private static final OptionalLong SECOND = OptionalLong.of(Long.parseUnsignedLong("4945711292740353085"));
    private static final OptionalLong THIRD = OptionalLong.of(Long.parseUnsignedLong("12583592247330656132"));

    /** Tokens from first to last, both inclusive. */
    private static Tokens range(int first, int last) {
        return Tokens.of(IntStream.rangeClosed(first, last).toArray());
    }

    private static TokenBlockSequence sequence(int first, int last) {
        return new TokenBlockSequence(range(first, last), 4, 1337);
    }

    private static TokenBlockSequence empty() {
        return new TokenBlockSequence(Tokens.of(), 4, 1337);
    }

    private static void assertState(TokenBlockSequence sequence, int blocks, List<Integer> current,
            OptionalLong parent) {
        assertThat(sequence.blockCount()).isEqualTo(blocks);
        assertThat(sequence.blocks()).hasSize(blocks);
        assertThat(sequence.currentSize()).isEqualTo(current.size());
        assertThat(sequence.currentBlock().tokens()).isEqualTo(current);
        assertThat(sequence.currentBlock().parentSequenceHash()).isEqualTo(parent);
        assertThat(sequence.totalTokens()).isEqualTo(blocks * sequence.blockSize() + current.size());
    }

    @Test
    @DisplayName("T38 tokens into a sequence")
    void tokensIntoSequence() {
        TokenBlockSequence sequence = range(1, 5).toSequence(3, 1337);
        assertThat(sequence.blockCount()).isOne();
        assertThat(sequence.block(0).tokens()).isEqualTo(List.of(1, 2, 3));
        assertThat(sequence.currentBlock().tokens()).isEqualTo(List.of(4, 5));
        assertThat(sequence.saltHash()).isEqualTo(1337);
    }

    @Test
    @DisplayName("T41 a new sequence commits every full block")
    void newSequence() {
        assertState(empty(), 0, List.of(), NONE);
        assertState(sequence(1, 2), 0, List.of(1, 2), NONE);
        assertState(sequence(1, 4), 1, List.of(), FIRST);
        assertState(sequence(1, 9), 2, List.of(9), SECOND);
        assertThat(sequence(1, 9).totalTokens()).isEqualTo(9);

        TokenBlockSequence unsalted = new TokenBlockSequence(range(1, 5), 4);
        assertThat(unsalted.saltHash()).isZero();
        assertThat(unsalted.blockCount()).isOne();
        assertThat(unsalted.blockHash(0)).isNotEqualTo(FIRST.getAsLong());
        assertThat(unsalted.currentBlock().tokens()).isEqualTo(List.of(5));
    }

    @Test
    @DisplayName("T42 a block size of zero is refused")
    void zeroBlockSize() {
        assertThatThrownBy(() -> new TokenBlockSequence(Tokens.of(), 0, 1337))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("below 1");
        assertThatThrownBy(() -> TokenBlockSequence.split(range(1, 4), 0, 1337))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    @DisplayName("T43 appended tokens commit a full block once the next token comes")
    void appendSingleToken() {
        TokenBlockSequence sequence = sequence(1, 10);
        assertThat(sequence.append(11)).isEmpty();
        assertState(sequence, 2, List.of(9, 10, 11), SECOND);
        assertThat(sequence.append(12)).isEmpty();
        assertState(sequence, 2, List.of(9, 10, 11, 12), SECOND);
        assertThat(sequence.append(13)).hasValue(2);
        assertThat(sequence.sequenceHash(2)).isEqualTo(THIRD.getAsLong());
        assertState(sequence, 3, List.of(13), THIRD);
        assertThat(sequence.currentBlock().remaining()).isEqualTo(3);
    }

    @Test
    @DisplayName("T44 extend is lazy and returns the blocks it committed")
    void extend() {
        TokenBlockSequence sequence = empty();
        assertThat(sequence.extend(range(1, 2))).isEmpty();
        assertState(sequence, 0, List.of(1, 2), NONE);

        sequence = empty();
        assertThat(sequence.extend(range(1, 4))).isEmpty();
        assertState(sequence, 0, List.of(1, 2, 3, 4), NONE);

        sequence = empty();
        assertThat(sequence.extend(range(1, 6))).contains(new BlockRange(0, 1));
        assertState(sequence, 1, List.of(5, 6), FIRST);
        assertThat(sequence.currentBlock().remaining()).isEqualTo(2);

        sequence = empty();
        assertThat(sequence.extend(range(1, 8))).contains(new BlockRange(0, 1));
        assertState(sequence, 1, List.of(5, 6, 7, 8), FIRST);

        sequence = empty();
        assertThat(sequence.extend(range(1, 2))).isEmpty();
        assertThat(sequence.extend(range(3, 5))).contains(new BlockRange(0, 1));
        assertState(sequence, 1, List.of(5), FIRST);
        assertThat(sequence.extend(new int[]{0, 6, 7, 8, 9, 10, 0}, 1, 6)).contains(new BlockRange(1, 2));
        assertState(sequence, 2, List.of(9, 10), SECOND);
        assertThat(sequence.extend(Tokens.of())).isEmpty();
        assertState(sequence, 2, List.of(9, 10), SECOND);

        sequence = empty();
        assertThat(sequence.extend(range(1, 2))).isEmpty();
        assertThat(sequence.extend(range(3, 4))).isEmpty();
        assertThat(sequence.extend(Tokens.of())).isEmpty();
        assertThat(sequence.totalTokens()).isEqualTo(4);
        assertState(sequence, 0, List.of(1, 2, 3, 4), NONE);
    }

    @ParameterizedTest(name = "1..{0} to {1}")
    @CsvSource({"10, 9", "10, 8", "10, 7", "10, 4", "10, 3", "10, 0", "10, 11", "10, 10", "0, 0", "8, 4", "8, 3"})
    @DisplayName("T45 truncate")
    void truncate(int tokens, int length) {
        TokenBlockSequence sequence = sequence(1, tokens);
        sequence.truncate(length);
        int total = Math.min(tokens, length);
        int blocks = total / 4;
        OptionalLong parent = List.of(NONE, FIRST, SECOND).get(blocks);
        assertThat(sequence.totalTokens()).isEqualTo(total);
        assertState(sequence, blocks, range(blocks * 4 + 1, total), parent);
    }

    @Test
    @DisplayName("T46 unwind")
    void unwind() {
        TokenBlockSequence sequence = sequence(1, 10);
        sequence.unwind(0);
        assertThat(sequence.totalTokens()).isEqualTo(10);
        sequence.unwind(1);
        assertState(sequence, 2, List.of(9), SECOND);

        sequence = sequence(1, 10);
        sequence.unwind(3);
        assertState(sequence, 1, List.of(5, 6, 7), FIRST);

        sequence = sequence(1, 10);
        sequence.unwind(10);
        assertState(sequence, 0, List.of(), NONE);

        TokenBlockSequence unchanged = sequence(1, 10);
        assertRefused(Kind.INSUFFICIENT_TOKENS, () -> unchanged.unwind(11));
        assertState(unchanged, 2, List.of(9, 10), SECOND);
        assertRefused(Kind.INSUFFICIENT_TOKENS, () -> empty().unwind(1));
    }

    @Test
    @DisplayName("T47 pop crosses block boundaries")
    void pop() {
        TokenBlockSequence sequence = sequence(1, 10);
        for (int token = 10; token >= 1; token--) {
            assertThat(sequence.pop()).hasValue(token);
            int left = token - 1;
            int blocks = left / 4;
            assertState(sequence, blocks, range(blocks * 4 + 1, left), List.of(NONE, FIRST, SECOND).get(blocks));
        }
        assertThat(sequence.pop()).isEqualTo(OptionalInt.empty());
    }

    @Test
    @DisplayName("T48 total tokens")
    void totalTokens() {
        TokenBlockSequence sequence = new TokenBlockSequence(Tokens.of(), 3, 1337);
        assertThat(sequence.totalTokens()).isZero();
        sequence.extend(Tokens.of(1, 2));
        assertThat(sequence.totalTokens()).isEqualTo(2);
        sequence.append(3);
        assertThat(sequence.totalTokens()).isEqualTo(3);
        sequence.extend(Tokens.of(4, 5, 6, 7));
        assertThat(sequence.totalTokens()).isEqualTo(7);
        sequence.pop();
        assertThat(sequence.totalTokens()).isEqualTo(6);
        sequence.truncate(4);
        assertThat(sequence.totalTokens()).isEqualTo(4);
        sequence.unwind(2);
        assertThat(sequence.totalTokens()).isEqualTo(2);
    }

    @Test
    void theSameTokensHaveTheSameHashesHoweverTheyCame() {
        TokenBlockSequence built = sequence(1, 8);
        TokenBlockSequence extended = empty();
        extended.extend(range(1, 8));
        assertThat(built.blockCount()).isEqualTo(2);
        assertThat(extended.blockCount()).isEqualTo(1);
        extended.append(9);
        assertThat(extended.blocks()).isEqualTo(built.blocks());
        assertThat(extended.tokens()).isEqualTo(range(1, 9));
    }

    @Test
    void blocksHandedOutDoNotChangeWithTheSequence() {
        TokenBlockSequence sequence = sequence(1, 9);
        TokenBlock second = sequence.block(1);
        List<TokenBlock> blocks = sequence.blocks();
        PartialTokenBlock current = sequence.currentBlock();
        current.push(77);
        assertThat(sequence.currentSize()).isEqualTo(1);

        sequence.truncate(3);
        sequence.extend(range(100, 120));
        assertThat(second.tokens()).isEqualTo(List.of(5, 6, 7, 8));
        assertThat(second.sequenceHash()).isEqualTo(SECOND.getAsLong());
        assertThat(blocks).hasSize(2).last().isEqualTo(second);
        assertThat(blocks.getFirst().tokens()).isEqualTo(List.of(1, 2, 3, 4));
        assertThat(blocks.get(1).parentSequenceHash()).isEqualTo(FIRST);
    }

    @Test
    void splitIsTheSequenceTakenApart() {
        TokenBlockSequence.Parts parts = TokenBlockSequence.split(range(1, 9), 4, 1337);
        assertThat(parts.blocks()).isEqualTo(sequence(1, 9).blocks());
        assertThat(parts.current().tokens()).isEqualTo(List.of(9));
        assertThat(parts.current().parentSequenceHash()).isEqualTo(SECOND);
        assertThat(sequence(1, 9).lastBlock()).contains(parts.blocks().getLast());
        assertThat(empty().lastBlock()).isEmpty();
    }

    @Test
    void programmingErrorsAreRefused() {
        assertThatThrownBy(() -> sequence(1, 9).truncate(-1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> sequence(1, 9).unwind(-1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> sequence(1, 9).block(2)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> sequence(1, 9).sequenceHash(2)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> new BlockRange(2, 2)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aHugeBlockSizeCostsNothingBeforeItsTokensCome() {
        TokenBlockSequence sequence = new TokenBlockSequence(Tokens.of(), Integer.MAX_VALUE, 1337);
        sequence.append(1);
        sequence.extend(range(2, 100));
        assertThat(sequence.totalTokens()).isEqualTo(100);
        assertThat(sequence.blockCount()).isZero();
        assertThat(sequence.currentBlock().tokens()).isEqualTo(range(1, 100));
        assertThat(sequence.currentBlock().remaining()).isEqualTo(Integer.MAX_VALUE - 100);
    }

    @Test
    @DisplayName("random operations agree with a plain list of blocks")
    void randomOperations() {
        Random random = RandomCase.random("TokenBlockSequenceTest.randomOperations");
        for (int run = 0; run < RandomCase.cases(300); run++) {
            int blockSize = 1 + random.nextInt(9);
            long salt = random.nextLong();
            Tokens start = Tokens.of(RandomCase.tokens(random, random.nextInt(40)));
            TokenBlockSequence sequence = new TokenBlockSequence(start, blockSize, salt);
            ReferenceSequence reference = new ReferenceSequence(start, blockSize, salt);
            for (int step = 0; step < 60; step++) {
                randomStep(random, sequence, reference);
                assertThat(sequence.blocks()).isEqualTo(reference.blocks);
                assertThat(sequence.totalTokens()).isEqualTo(reference.total());
                PartialTokenBlock current = sequence.currentBlock();
                assertThat(current.tokens()).isEqualTo(reference.current.tokens());
                assertThat(current.parentSequenceHash()).isEqualTo(reference.current.parentSequenceHash());
            }
        }
    }

    private static void randomStep(Random random, TokenBlockSequence sequence, ReferenceSequence reference) {
        switch (random.nextInt(4)) {
            case 0, 1 -> {
                int token = random.nextInt();
                int before = reference.blocks.size();
                boolean commits = reference.extend(Tokens.of(token)).isPresent();
                assertThat(sequence.append(token)).isEqualTo(commits ? OptionalInt.of(before) : OptionalInt.empty());
            }
            case 2 -> {
                Tokens more = Tokens.of(RandomCase.tokens(random, random.nextInt(30)));
                assertThat(sequence.extend(more)).isEqualTo(reference.extend(more));
            }
            default -> {
                int length = random.nextInt(reference.total() + 3);
                sequence.truncate(length);
                reference.truncate(length);
            }
        }
    }
}
