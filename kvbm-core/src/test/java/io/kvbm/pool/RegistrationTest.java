package io.kvbm.pool;

import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ContentState;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.error.BlockException;
import io.kvbm.error.ClosedException;
import io.kvbm.error.IdentityException;
import io.kvbm.error.PoolException;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.TokenBlock;

import static io.kvbm.pool.Content.blocks;
import static io.kvbm.pool.Content.chain;
import static io.kvbm.pool.Content.hashes;
import static io.kvbm.pool.Content.register;
import static io.kvbm.pool.Content.slots;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

/** Registering and matching under both kinds of identity, and what is refused as a whole. */
class RegistrationTest {

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();
    private final RecordedEvents events = new RecordedEvents();

    private BlockPool pool(int blocks, IdentityKind kind) {
        return subject.track(PoolSubject.builder(blocks, 4).identity(kind).events(events));
    }

    @ParameterizedTest
    @EnumSource
    void chainIsRegisteredMatchedSharedAndEvicted(IdentityKind kind) {
        BlockPool pool = pool(6, kind);
        IdentityChain chain = chain(kind, 0, 5);
        BlockList<ImmutableBlock> head = pool.registerBlocks(pool.allocateBlocks(2), chain, 0);
        BlockList<ImmutableBlock> tail = pool.registerBlocks(pool.allocateBlocks(2), chain, 2);
        assertThat(head.getFirst().sequenceHash()).isEqualTo(chain.sequenceHash(0));
        assertThat(tail.get(1).blockHash()).isEqualTo(chain.blockHash(3));
        tail.close();
        head.close();

        BlockList<ImmutableBlock> found = pool.matchBlocks(chain, 0, 5);
        assertThat(slots(found)).containsExactly(0, 1, 2, 3);
        try (BlockList<ImmutableBlock> middle = pool.matchBlocks(chain, 1, 3)) {
            assertThat(slots(middle)).containsExactly(1, 2);
        }
        found.close();
        assertThat(pool.matchBlocks(chain(kind, 1, 3), 0, 3)).isEmpty();
        try (BlockList<MutableBlock> _ = pool.allocateBlocks(4);
                BlockList<ImmutableBlock> left = pool.matchBlocks(chain, 0, 5)) {
            assertThat(slots(left)).containsExactly(0, 1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void contentThatIsPresentIsSharedAndTheDuplicateGoesBack(IdentityKind kind) {
        BlockPool pool = pool(6, kind);
        IdentityChain chain = chain(kind, 0, 3);
        BlockList<ImmutableBlock> first = pool.registerBlocks(pool.allocateBlocks(2), chain, 0);
        events.take();
        BlockList<MutableBlock> again = pool.allocateBlocks(3);
        BlockList<ImmutableBlock> second = pool.registerBlocks(again, chain, 0);
        assertThat(slots(second)).containsExactly(0, 1, 4);
        assertThat(events.take()).singleElement()
                .satisfies(event -> assertThat(RecordedEvents.stored(event)).containsExactly(chain.sequenceHash(2)));
        assertThat(again).allMatch(BlockHandle::isClosed);
        assertThat(pool.stats().registrationDedup()).isEqualTo(2);
        again.close();
        first.close();
        second.close();
        assertThat(pool.availableBlocks()).isEqualTo(6);
    }

    @Test
    @DisplayName("D17 a request with one incomplete block registers none and publishes nothing")
    void incompleteBlockLeavesEverythingAsItWas() {
        BlockPool pool = pool(4, IdentityKind.XXH3);
        List<TokenBlock> chain = blocks(1, 3);
        try (BlockList<MutableBlock> given = pool.allocateBlocks(3)) {
            given.get(0).applyTokenBlock(chain.get(0));
            given.get(1).applyTokenBlock(chain.get(1));
            assertThatExceptionOfType(BlockException.class).isThrownBy(() -> pool.registerBlocks(given))
                    .extracting(BlockException::kind)
                    .isEqualTo(BlockException.Kind.STATE_INVALID);
            assertThat(given).noneMatch(BlockHandle::isClosed);
            assertThat(given.getFirst().state()).isEqualTo(ContentState.COMPLETE);
            assertThat(pool.matchSequenceHashes(hashes(chain))).isEmpty();
            assertThat(events.take()).isEmpty();
            given.get(2).applyTokenBlock(chain.get(2));
            pool.registerBlocks(given).close();
        }
        assertThat(events.take()).hasSize(1);
    }

    @ParameterizedTest
    @EnumSource
    void chainThatIsTooShortRegistersNone(IdentityKind kind) {
        BlockPool pool = pool(4, kind);
        IdentityChain chain = chain(kind, 0, 2);
        try (BlockList<MutableBlock> given = pool.allocateBlocks(3)) {
            assertThatIllegalArgumentException().isThrownBy(() -> pool.registerBlocks(given, chain, 0));
            assertThatIllegalArgumentException().isThrownBy(() -> pool.registerBlocks(given, chain, 1));
            assertThatIllegalArgumentException().isThrownBy(() -> pool.registerBlocks(given, chain, -1));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> pool.registerBlocks(given, chain, Integer.MAX_VALUE));
            assertThat(given).noneMatch(BlockHandle::isClosed);
            assertThat(pool.matchBlocks(chain, 0, 2)).isEmpty();
            assertThat(events.take()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource
    void rangeThatIsNoneOfTheChainIsRefusedBeforeItCounts(IdentityKind kind) {
        BlockPool pool = pool(4, kind);
        IdentityChain chain = chain(kind, 0, 2);
        assertThatIllegalArgumentException().isThrownBy(() -> pool.matchBlocks(chain, 2, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> pool.matchBlocks(chain, 0, 3));
        assertThatIllegalArgumentException().isThrownBy(() -> pool.matchBlocks(chain, -1, 1));
        assertThat(pool.stats().matchHashesRequested()).isZero();
        assertThat(pool.matchBlocks(chain, 2, 2)).isEmpty();
    }

    @Test
    void chainOfOtherPagesIsRefused() {
        BlockPool pool = pool(4, IdentityKind.XXH3);
        IdentityChain chain = IdentityChain.xxh3(8, 0);
        chain.extend(new int[16], 0, 16);
        try (BlockList<MutableBlock> given = pool.allocateBlocks(2)) {
            assertThatIllegalArgumentException().isThrownBy(() -> pool.registerBlocks(given, chain, 0))
                    .withMessageContaining("8");
            assertThatIllegalArgumentException().isThrownBy(() -> pool.matchBlocks(chain, 0, 2));
        }
    }

    @Test
    void callsOfTheOtherKindOfIdentityAreRefused() {
        BlockPool wide = pool(2, IdentityKind.SHA256);
        BlockPool narrow = pool(2, IdentityKind.XXH3);
        try (BlockList<MutableBlock> given = wide.allocateBlocks(1);
                BlockList<MutableBlock> other = narrow.allocateBlocks(1)) {
            given.getFirst().applyTokenBlock(blocks(1, 1).getFirst());
            assertWrongKind(() -> wide.registerBlocks(given));
            assertWrongKind(() -> wide.matchSequenceHashes(1));
            assertWrongKind(() -> wide.matchBlocks(chain(IdentityKind.XXH3, 0, 1), 0, 1));
            assertWrongKind(() -> narrow.registerBlocks(other, chain(IdentityKind.SHA256, 0, 1), 0));
        }
    }

    private static void assertWrongKind(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatExceptionOfType(IdentityException.class).isThrownBy(call)
                .extracting(IdentityException::kind)
                .isEqualTo(IdentityException.Kind.WRONG_KIND);
    }

    @ParameterizedTest
    @EnumSource
    void blockThatCannotBeRegisteredKeepsTheOthersFromIt(IdentityKind kind) {
        BlockPool pool = pool(6, kind);
        BlockPool foreign = pool(2, kind);
        try (BlockList<MutableBlock> given = pool.allocateBlocks(3);
                BlockList<MutableBlock> others = foreign.allocateBlocks(1)) {
            List<TokenBlock> contents = blocks(1, 3);
            for (int i = 0; i < 3; i++) {
                given.get(i).applyTokenBlock(contents.get(i));
            }
            others.getFirst().applyTokenBlock(contents.get(2));
            MutableBlock closed = pool.allocateBlocks(1).getFirst();
            closed.applyTokenBlock(contents.get(2));
            closed.close();
            assertInvalid(pool, kind, List.of(given.get(0), given.get(1), others.getFirst()), "another pool");
            assertInvalid(pool, kind, List.of(given.get(0), given.get(1), closed), "closed");
            assertInvalid(pool, kind, List.of(given.get(0), given.get(1), given.get(0)), "twice");
            try (Pin _ = given.get(2).pin()) {
                assertInvalid(pool, kind, given, "pinned");
            }
            assertThat(given).noneMatch(BlockHandle::isClosed);
            assertThat(events.take()).isEmpty();
            BlockList<ImmutableBlock> registered = kind == IdentityKind.XXH3
                    ? pool.registerBlocks(given)
                    : pool.registerBlocks(given, chain(kind, 0, 3), 0);
            assertInvalid(pool, kind, List.of(given.get(0)), "registered already");
            registered.close();
        }
    }

    private static void assertInvalid(BlockPool pool, IdentityKind kind, List<MutableBlock> given, String why) {
        List<MutableBlock> copy = new ArrayList<>(given);
        assertThatExceptionOfType(PoolException.class)
                .isThrownBy(() -> pool.registerBlocks(copy, chain(kind, 0, 3), 0))
                .withMessageContaining(why)
                .extracting(PoolException::kind)
                .isEqualTo(PoolException.Kind.INVALID_BLOCK);
        if (kind == IdentityKind.XXH3) {
            assertThatExceptionOfType(PoolException.class).isThrownBy(() -> pool.registerBlocks(copy))
                    .withMessageContaining(why)
                    .extracting(PoolException::kind)
                    .isEqualTo(PoolException.Kind.INVALID_BLOCK);
        }
    }

    @Test
    void handleOfARegisteredBlockIsUsedUp() {
        BlockPool pool = pool(2, IdentityKind.XXH3);
        MutableBlock block = pool.allocateBlocks(1).getFirst();
        block.applyTokenBlock(blocks(1, 1).getFirst());
        BlockList<ImmutableBlock> registered = pool.registerBlocks(List.of(block));
        assertThat(block.isClosed()).isTrue();
        block.close();
        assertThat(pool.stats().holders()).isEqualTo(1);
        assertThatExceptionOfType(ClosedException.class).isThrownBy(block::reset);
        assertThatExceptionOfType(ClosedException.class).isThrownBy(block::sequenceHash);
        assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> block.priority(1));
        assertThatExceptionOfType(ClosedException.class).isThrownBy(block::pin);
        assertThatExceptionOfType(ClosedException.class).isThrownBy(block::metadata);
        assertThatExceptionOfType(ClosedException.class).isThrownBy(block::segment);
        registered.close();
    }

    @Test
    void emptyRequestIsEmpty() {
        BlockPool pool = pool(2, IdentityKind.XXH3);
        assertThat(pool.registerBlocks(List.of())).isEmpty();
        assertThat(pool.matchSequenceHashes()).isEmpty();
        assertThat(events.take()).isEmpty();
    }

    @Test
    @DisplayName("POOL-15 a list with duplicates matches a block as often as it is asked for")
    void duplicatesInAMatchAreFine() {
        BlockPool pool = pool(2, IdentityKind.XXH3);
        List<TokenBlock> one = blocks(1, 1);
        register(pool, one).close();
        long hash = one.getFirst().sequenceHash();
        try (BlockList<ImmutableBlock> found = pool.matchSequenceHashes(hash, hash, hash, 1)) {
            assertThat(slots(found)).containsExactly(0, 0, 0);
            assertThat(pool.stats().holders()).isEqualTo(3);
            found.get(1).close();
            assertThat(pool.stats().active()).isEqualTo(1);
        }
    }
}
