package io.kvbm.pool;

import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.token.TokenBlock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** The walk over what a pool has registered. */
class RegisteredSlotsTest {

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();

    private static List<List<Long>> walk(BlockPool pool, int from, int to) {
        List<List<Long>> seen = new ArrayList<>();
        pool.walkRegistered(from, to,
                (slot, generation, identity) -> seen.add(List.of((long) slot, generation, identity)));
        return seen;
    }

    @Test
    void heldAndIdleBlocksAreNamedInOrderOfSlotsAndOthersAreNot() {
        BlockPool pool = subject.track(PoolSubject.builder(10, 4));
        List<TokenBlock> content = Content.blocks(0, 4);
        try (BlockList<ImmutableBlock> cleared = Content.register(pool, content)) {
            pool.clear();
            assertThat(walk(pool, 0, 10)).isEmpty();
            assertThat(cleared).hasSize(4);
        }
        Content.register(pool, content.subList(0, 2)).close();
        try (BlockList<ImmutableBlock> held = Content.register(pool, Content.blocks(500, 2));
                BlockList<?> filled = pool.allocateBlocks(1)) {
            List<List<Long>> all = walk(pool, 0, 10);
            assertThat(all).hasSize(4).isSortedAccordingTo((a, b) -> Long.compare(a.getFirst(), b.getFirst()));
            assertThat(all).extracting(List::getLast)
                    .containsExactlyInAnyOrder(content.get(0).sequenceHash(), content.get(1).sequenceHash(),
                            held.get(0).sequenceHash(), held.get(1).sequenceHash());
            for (List<Long> one : all) {
                int slot = one.getFirst().intValue();
                assertThat(walk(pool, slot, slot + 1)).containsExactly(one);
                assertThat(pool.holdSlots(new int[]{slot}, new long[]{one.get(1)})).hasSize(1)
                        .satisfies(hold -> hold.forEach(ImmutableBlock::close));
            }
            assertThat(filled).hasSize(1);
        }
    }

    @Test
    void slotsThatThePoolDoesNotHaveAndClosedPoolsAreRefused() {
        BlockPool pool = subject.track(PoolSubject.builder(10, 4));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> walk(pool, 0, 11));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> walk(pool, -1, 3));
        assertThat(walk(pool, 3, 3)).isEmpty();
        pool.close();
        assertThatExceptionOfType(ClosedException.class).isThrownBy(() -> walk(pool, 0, 10));
    }
}
