package io.kvbm.token;

import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import io.kvbm.error.Decision;
import io.kvbm.error.TokenException;
import io.kvbm.error.TokenException.Kind;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

class TokenBlockTest {

    private static final long FIRST = Long.parseUnsignedLong("14643705804678351452");
    private static final long SECOND = Long.parseUnsignedLong("4945711292740353085");

    static void assertRefused(Kind kind, ThrowingCallable call) {
        assertThatThrownBy(call).asInstanceOf(type(TokenException.class)).satisfies(e -> {
            assertThat(e.kind()).isEqualTo(kind);
            assertThat(e.decision()).isEqualTo(Decision.FATAL);
        });
    }

    @Test
    @DisplayName("T39 push, pop and commit of a partial block")
    void partialBlockOperations() {
        PartialTokenBlock block = new PartialTokenBlock(3, 1337);
        block.push(1);
        assertThat(block.push(Tokens.of(2, 3, 4))).isEqualTo(List.of(4));
        assertThat(block.size()).isEqualTo(3);
        assertThat(block.remaining()).isZero();
        assertThat(block.isFull()).isTrue();
        assertThat(block.tokens()).isEqualTo(List.of(1, 2, 3));

        assertRefused(Kind.FULL, () -> block.push(5));
        assertThat(block.push(Tokens.of(5))).isEqualTo(List.of(5));
        assertThat(block.pop()).isEqualTo(3);
        assertThat(block.tokens()).isEqualTo(List.of(1, 2));
        block.pop(0);
        assertThat(block.size()).isEqualTo(2);
        block.pop(2);
        assertThat(block.isEmpty()).isTrue();
        assertRefused(Kind.EMPTY, block::pop);
        assertRefused(Kind.INSUFFICIENT_TOKENS, () -> block.pop(1));

        block.push(10);
        assertRefused(Kind.INCOMPLETE, block::commit);
        block.push(11);
        block.push(12);
        TokenBlock committed = block.commit();
        assertThat(committed.tokens()).isEqualTo(List.of(10, 11, 12));
        assertThat(committed.parentSequenceHash()).isEmpty();
        assertThat(block.isEmpty()).isTrue();
        assertThat(block.parentSequenceHash()).hasValue(committed.sequenceHash());
        assertThat(block.blockSize()).isEqualTo(3);
        assertThat(block.saltHash()).isEqualTo(1337);
    }

    @Test
    @DisplayName("T40 a token block and its hashes")
    void creationAndHashes() {
        TokenBlock first = TokenBlock.first(Tokens.of(1, 2, 3, 4), 1337);
        assertThat(first.blockHash()).isEqualTo(FIRST);
        assertThat(first.sequenceHash()).isEqualTo(FIRST);
        assertThat(first.saltHash()).isEqualTo(1337);
        assertThat(first.parentSequenceHash()).isEmpty();

        TokenBlock orphan = TokenBlock.first(Tokens.of(5, 6, 7, 8), 1337);
        assertThat(orphan.sequenceHash()).isNotEqualTo(SECOND);

        TokenBlock second = TokenBlock.after(first.sequenceHash(), Tokens.of(5, 6, 7, 8), 1337);
        assertThat(second.blockHash()).isEqualTo(Long.parseUnsignedLong("16777012769546811212"));
        assertThat(second.sequenceHash()).isEqualTo(SECOND);
        assertThat(second.parentSequenceHash()).hasValue(FIRST);
        assertThat(second).isNotEqualTo(orphan);
    }

    @Test
    @DisplayName("T49 pushing many tokens fills the block and returns the others")
    void pushMany() {
        PartialTokenBlock block = new PartialTokenBlock(4, 1337);
        assertThat(block.push(Tokens.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))).isEqualTo(List.of(5, 6, 7, 8, 9, 10));
        assertThat(block.tokens()).isEqualTo(List.of(1, 2, 3, 4));
        assertThat(block.push(Tokens.of())).isEmpty();
    }

    @Test
    void aLargeBlockGrowsAsItsTokensCome() {
        int[] tokens = IntStream.range(0, 1000).toArray();
        PartialTokenBlock block = new PartialTokenBlock(1000, 1337);
        for (int token : tokens) {
            block.push(token);
        }
        assertRefused(Kind.FULL, () -> block.push(1));
        PartialTokenBlock bulk = new PartialTokenBlock(1000, 1337);
        assertThat(bulk.push(Tokens.of(tokens))).isEmpty();
        assertThat(block.commit()).isEqualTo(bulk.commit()).isEqualTo(TokenBlock.first(Tokens.of(tokens), 1337));
    }

    @Test
    void aCommittedBlockDoesNotChangeWithTheBlockThatMadeIt() {
        PartialTokenBlock block = new PartialTokenBlock(2, 1337);
        block.push(Tokens.of(1, 2));
        TokenBlock committed = block.commit();
        block.push(Tokens.of(8, 9));
        assertThat(committed.tokens()).isEqualTo(List.of(1, 2));

        TokenBlock second = block.commit();
        assertThat(second).isEqualTo(TokenBlock.after(committed.sequenceHash(), Tokens.of(8, 9), 1337));
    }

    @Test
    void aTokensSnapshotDoesNotChangeWithItsBlock() {
        PartialTokenBlock block = new PartialTokenBlock(2, 1337);
        block.push(1);
        Tokens before = block.tokens();
        block.pop();
        block.push(7);
        assertThat(before).isEqualTo(List.of(1));
    }

    @Test
    void theNextBlockContinuesTheChain() {
        PartialTokenBlock next = TokenBlock.first(Tokens.of(1, 2, 3, 4), 1337).nextBlock();
        assertThat(next.isEmpty()).isTrue();
        assertThat(next.blockSize()).isEqualTo(4);
        next.push(Tokens.of(5, 6, 7, 8));
        assertThat(next.commit().sequenceHash()).isEqualTo(SECOND);
    }

    @Test
    void blocksAreEqualWhenEverythingIs() {
        TokenBlock block = TokenBlock.after(7, Tokens.of(1, 2), 5);
        assertThat(block).isEqualTo(TokenBlock.after(7, Tokens.of(1, 2), 5))
                .hasSameHashCodeAs(TokenBlock.after(7, Tokens.of(1, 2), 5));
        assertThat(block).isNotEqualTo(TokenBlock.after(8, Tokens.of(1, 2), 5))
                .isNotEqualTo(TokenBlock.after(7, Tokens.of(1, 3), 5))
                .isNotEqualTo(TokenBlock.after(7, Tokens.of(1, 2), 6))
                .isNotEqualTo(TokenBlock.first(Tokens.of(1, 2), 5));
        assertThat(new TokenBlock(block.tokens(), 5, block.blockHash(), block.sequenceHash(), OptionalLong.of(8)))
                .isNotEqualTo(block);
        assertThat(block.toString()).contains(Long.toUnsignedString(block.sequenceHash()));
    }

    @Test
    void programmingErrorsAreRefused() {
        assertThatThrownBy(() -> new PartialTokenBlock(0, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> TokenBlock.first(Tokens.of(), 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new PartialTokenBlock(2, 1).pop(-1)).isInstanceOf(IllegalArgumentException.class);
    }
}
