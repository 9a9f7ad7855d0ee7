package io.kvbm.pool;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.testing.RandomCase;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.TokenBlock;
import io.kvbm.token.Tokens;

import static io.kvbm.pool.Content.blocks;
import static io.kvbm.pool.Content.hashes;
import static io.kvbm.pool.Content.register;
import static io.kvbm.pool.Content.slots;
import static org.assertj.core.api.Assertions.assertThat;

/** Which block is reused first. */
class ReuseOrderTest {

    @RegisterExtension
    final PoolSubject subject = new PoolSubject();

    @Test
    @DisplayName("T28 keys leave by priority, then tick of return, then hash, all unsigned")
    void priorityKeyOrder() {
        SlotTable slots = new SlotTable(5, IdentityKind.XXH3);
        PriorityOrder order = new PriorityOrder(slots);
        name(slots, 1, 0, 2);
        name(slots, 2, 1, 1);
        name(slots, 3, 0, 3);
        order.inactive(1);
        order.inactive(2);
        order.inactive(3);
        assertThat(List.of(order.evict(), order.evict(), order.evict(), order.evict()))
                .containsExactly(1, 3, 2, ReuseOrder.NONE);

        name(slots, 0, -1, 0);
        name(slots, 1, Integer.MAX_VALUE, 0);
        slots.name(3, -1, 0, 0);
        slots.own(3, 0);
        slots.drop(3, 7);
        slots.name(4, Long.MAX_VALUE, 0, 0);
        slots.own(4, 0);
        slots.drop(4, 7);
        for (int slot : new int[]{0, 1, 3, 4}) {
            order.inactive(slot);
        }
        assertThat(List.of(order.evict(), order.evict(), order.evict(), order.evict())).containsExactly(4, 3, 1, 0);
    }

    @Test
    void heapStaysInOrderWhateverLeavesIt() {
        Random random = RandomCase.random("ReuseOrderTest.heapStaysInOrder");
        SlotTable slots = new SlotTable(100, IdentityKind.XXH3);
        PriorityOrder order = new PriorityOrder(slots);
        Set<Integer> model = new HashSet<>();
        Comparator<Integer> first = Comparator.comparing(slots::metadata);
        for (int step = 0; step < 20_000; step++) {
            int slot = random.nextInt(100);
            if (model.contains(slot)) {
                order.active(slot);
                model.remove(slot);
            } else if (random.nextInt(3) > 0) {
                name(slots, slot, random.nextInt(3), step);
                order.inactive(slot);
                model.add(slot);
            } else {
                int expected = model.stream().min(first).orElse(ReuseOrder.NONE);
                assertThat(order.evict()).isEqualTo(expected);
                model.remove(expected);
            }
        }
    }

    private static void name(SlotTable slots, int slot, int priority, long returned) {
        slots.name(slot, slot, 0, 0);
        slots.own(slot, 0);
        slots.priority(slot, priority);
        slots.drop(slot, returned);
    }

    @Test
    @DisplayName("10.4 never-used blocks first, then lowest priority, then least recently returned")
    void priorityOfThePool() {
        BlockPool pool = subject.track(PoolSubject.builder(4, 4).reusePolicy(ReusePolicy.PRIORITY));
        List<TokenBlock> contents = List.of(blocks(1, 1).getFirst(), blocks(11, 1).getFirst(),
                blocks(21, 1).getFirst());
        int[] priorities = {5, -1, 5};
        BlockList<MutableBlock> filled = pool.allocateBlocks(3);
        for (int i = 0; i < 3; i++) {
            filled.get(i).applyTokenBlock(contents.get(i));
            filled.get(i).priority(priorities[i]);
        }
        pool.registerBlocks(filled).forEach(ImmutableBlock::close);
        try (BlockList<MutableBlock> all = pool.allocateBlocks(4)) {
            assertThat(slots(all)).containsExactly(3, 0, 2, 1);
            assertThat(all).allSatisfy(block -> assertThat(block.metadata().priority()).isZero());
        }
    }

    @Test
    void resetDropsThePriority() {
        BlockPool pool = subject.track(PoolSubject.builder(2, 4).reusePolicy(ReusePolicy.PRIORITY));
        try (MutableBlock block = pool.allocateBlocks(1).getFirst()) {
            block.priority(7);
            assertThat(block.metadata().priority()).isEqualTo(7);
            block.reset();
            assertThat(block.metadata().priority()).isZero();
            assertThat(block.metadata().acquiredTick()).isEqualTo(1);
        }
    }

    @Test
    @DisplayName("POOL-10 a list that is closed returns last to first, so the tail of a chain is evicted first")
    void tailIsEvictedFirstUnderPriorityToo() {
        BlockPool pool = subject.track(PoolSubject.builder(3, 4).reusePolicy(ReusePolicy.PRIORITY));
        register(pool, blocks(1, 3)).close();
        try (BlockList<MutableBlock> taken = pool.allocateBlocks(2)) {
            assertThat(slots(taken)).containsExactly(2, 1);
        }
    }

    @Test
    void branchesGoBeforeTheTrunkTheyShare() {
        BlockPool pool = subject.pool(4);
        List<TokenBlock> left = blocks(1, 3);
        TokenBlock right = TokenBlock.after(left.get(1).sequenceHash(), Tokens.of(9, 9, 9, 9), 1337);
        BlockList<ImmutableBlock> all = register(pool, List.of(left.get(0), left.get(1), left.get(2), right));
        // trunk first, so that it is the least recently returned
        all.forEach(ImmutableBlock::close);
        try (BlockList<MutableBlock> taken = pool.allocateBlocks(4)) {
            assertThat(slots(taken)).containsExactly(2, 3, 1, 0);
        }
    }

    @Test
    void sequencesLeaveInTheOrderOfTheirReturnEachFromItsTail() {
        BlockPool pool = subject.pool(6);
        BlockList<ImmutableBlock> a = register(pool, blocks(1, 3));
        BlockList<ImmutableBlock> b = register(pool, blocks(101, 3));
        b.close();
        a.close();
        try (BlockList<MutableBlock> taken = pool.allocateBlocks(6)) {
            assertThat(slots(taken)).containsExactly(5, 4, 3, 2, 1, 0);
        }
    }

    @Test
    @DisplayName("where only held blocks continue what is left, the prefix still goes from its end")
    void prefixOfAHeldBlockGoesFromItsEnd() {
        BlockPool pool = subject.pool(4);
        List<TokenBlock> chain = blocks(1, 4);
        BlockList<ImmutableBlock> handles = register(pool, chain);
        for (int i = 0; i < 3; i++) {
            handles.get(i).close();
        }
        for (int left = 2; left >= 0; left--) {
            BlockList<MutableBlock> taken = pool.allocateBlocks(1);
            assertThat(slots(taken)).containsExactly(left);
            try (BlockList<ImmutableBlock> found = pool.matchSequenceHashes(hashes(chain))) {
                assertThat(found).hasSize(left);
                // the order of return is turned once more
                found.forEach(ImmutableBlock::close);
            }
            holdUntilTheEnd.add(taken);
        }
        holdUntilTheEnd.forEach(BlockList::close);
        handles.close();
    }

    private final List<BlockList<MutableBlock>> holdUntilTheEnd = new ArrayList<>();

    @Test
    void childOfAnEvictedParentIsNobodysChild() {
        BlockPool pool = subject.pool(3);
        List<TokenBlock> chain = blocks(1, 2);
        BlockList<ImmutableBlock> both = register(pool, chain);
        both.getFirst().close();
        // the parent's slot gets other content while the child is held
        BlockList<MutableBlock> others = pool.allocateBlocks(2);
        assertThat(slots(others)).containsExactly(2, 0);
        others.getFirst().close();
        MutableBlock reused = others.get(1);
        reused.applyTokenBlock(blocks(500, 1).getFirst());
        pool.registerBlocks(List.of(reused)).close();
        both.close();
        // had the child counted for the new content, that would not be first
        try (BlockList<MutableBlock> taken = pool.allocateBlocks(3)) {
            assertThat(slots(taken)).containsExactly(2, 0, 1);
        }
    }
}
