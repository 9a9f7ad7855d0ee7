package io.kvbm.pool;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

import io.kvbm.block.BlockSet;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.NullStorage;
import io.kvbm.storage.Storage;
import io.kvbm.token.IdentityKind;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The pools of one test and the oracle of their validity, which runs after every test over every pool: each slot is in
 * exactly one place, all tables agree, nothing is held any more unless the test says so.
 */
final class PoolSubject implements AfterEachCallback {

    static final long WORKER = 1337;

    private final List<BlockPool> pools = new ArrayList<>();
    private final List<long[]> generations = new ArrayList<>();
    private boolean holdersStay;

    /** A pool of blocks of four tokens without memory, with leak nets below every call. */
    BlockPool pool(int blocks) {
        return track(builder(blocks, 4));
    }

    BlockPool track(BlockPoolBuilder builder) {
        return track(builder.build());
    }

    BlockPool track(BlockPool pool) {
        pools.add(pool);
        generations.add(new long[pool.totalBlocks()]);
        return pool;
    }

    /** Some holds of this test are meant to be open at its end. */
    void holdersStay() {
        holdersStay = true;
    }

    static BlockPoolBuilder builder(int blocks, int pageSize) {
        return BlockPool.builder(nullBlocks(blocks, pageSize)).leakDetection(LeakDetection.FULL);
    }

    static BlockSet nullBlocks(int blocks, int pageSize) {
        BlockLayout layout = BlockLayout.of(layout(blocks, pageSize), LayoutType.FULLY_CONTIGUOUS);
        return blocksOver(layout, NullStorage.ofSize(layout.requiredAllocation()));
    }

    static BlockSet blocksOver(BlockLayout layout, Storage storage) {
        return new BlockSet(BlockMemory.over(layout, List.of(storage)), 1, WORKER, CacheLevel.G2);
    }

    static BlockSet hostBlocks(int blocks, int pageSize) {
        return new BlockSet(BlockMemory.allocate(layout(blocks, pageSize), LayoutType.FULLY_CONTIGUOUS,
                HostAllocator.builder().shared(false).build()), 1, WORKER, CacheLevel.G2);
    }

    /** The test layout of the reference, with as many blocks and tokens as asked for. */
    static LayoutConfig layout(int blocks, int pageSize) {
        return LayoutConfig.builder()
                .numBlocks(blocks)
                .numLayers(5)
                .pageSize(pageSize)
                .innerDim(13)
                .dtype(DType.FP32)
                .build();
    }

    @Override
    public void afterEach(ExtensionContext context) {
        for (BlockPool pool : pools) {
            assertValid(pool);
            if (!holdersStay) {
                assertThat(pool.stats().holders()).as("open holds of %s at the end of the test", pool).isZero();
            }
            pool.close();
            assertValid(pool);
        }
    }

    void assertValid(BlockPool pool) {
        pool.lock.lock();
        try {
            assertSlotsAreInOnePlaceEach(pool);
            assertIdentitiesAgree(pool);
            assertGenerationsRise(pool);
        } finally {
            pool.lock.unlock();
        }
    }

    private static void assertSlotsAreInOnePlaceEach(BlockPool pool) {
        PoolStats stats = pool.stats();
        int[] byState = new int[SlotState.values().length];
        long holders = 0;
        for (int slot = 0; slot < stats.usable(); slot++) {
            SlotState state = pool.ledger.slots.state(slot);
            byState[state.code()]++;
            holders += pool.ledger.slots.holders(slot);
            boolean heldState = state == SlotState.OWNED || state == SlotState.ACTIVE || state == SlotState.UNLISTED;
            assertThat(pool.ledger.slots.holders(slot) > 0).as("slot %d is %s", slot, state).isEqualTo(heldState);
        }
        assertThat(stats.free()).as("free").isEqualTo(byState[SlotState.FREE.code()]);
        assertThat(stats.inactive()).as("inactive").isEqualTo(byState[SlotState.INACTIVE.code()]);
        assertThat(stats.active()).as("active").isEqualTo(byState[SlotState.ACTIVE.code()]);
        assertThat(stats.owned()).as("owned").isEqualTo(byState[SlotState.OWNED.code()]);
        assertThat(stats.unlisted()).as("unlisted").isEqualTo(byState[SlotState.UNLISTED.code()]);
        assertThat(stats.free() + stats.inactive() + stats.active() + stats.owned() + stats.unlisted())
                .as("all places")
                .isEqualTo(stats.usable());
        assertThat(stats.holders()).as("holders").isEqualTo(holders);
        assertContent("free ring", freeSlots(pool), pool, SlotState.FREE);
        assertContent("reuse order", orderedSlots(pool), pool, SlotState.INACTIVE);
    }

    private static void assertContent(String place, List<Integer> content, BlockPool pool, SlotState state) {
        assertThat(content).as(place).doesNotHaveDuplicates();
        int usable = pool.stats().usable();
        List<Integer> expected = IntStream.range(0, usable)
                .filter(slot -> pool.ledger.slots.is(slot, state))
                .boxed()
                .toList();
        assertThat(content).as(place).containsExactlyInAnyOrderElementsOf(expected);
    }

    private static void assertIdentitiesAgree(BlockPool pool) {
        Set<Integer> listed = new HashSet<>();
        long[] entries = pool.ledger.table.entries;
        int bits = Integer.numberOfTrailingZeros(entries.length);
        for (int i = 0; i < entries.length; i++) {
            if (entries[i] == 0) {
                continue;
            }
            int slot = (int) entries[i] - 1;
            assertThat(listed.add(slot)).as("slot %d is listed once", slot).isTrue();
            assertThat(entries[i] >>> 32).as("tag of slot %d", slot).isEqualTo(pool.ledger.slots.probe(slot) >>> 32);
            for (int at = (int) (entries[i] >>> (Long.SIZE - bits)); at != i; at = (at + 1) & (entries.length - 1)) {
                assertThat(entries[at]).as("the way to slot %d", slot).isNotZero();
            }
        }
        assertThat(pool.ledger.table.size()).as("size of the identity table").isEqualTo(listed.size());
        Set<Integer> registered = new HashSet<>();
        for (int slot = 0; slot < pool.ledger.slots.size(); slot++) {
            if (pool.ledger.slots.state(slot).registered()) {
                registered.add(slot);
                if (pool.identity() == IdentityKind.XXH3) {
                    assertThat(pool.ledger.table.find(pool.ledger.slots.sequenceHash(slot))).as("found by its hash")
                            .isEqualTo(slot);
                }
            }
        }
        assertThat(listed).as("listed slots").isEqualTo(registered);
    }

    private void assertGenerationsRise(BlockPool pool) {
        long[] before = generations.get(pools.indexOf(pool));
        for (int slot = 0; slot < before.length; slot++) {
            long now = pool.ledger.slots.generation(slot);
            assertThat(now).as("generation of slot %d", slot).isGreaterThanOrEqualTo(before[slot]);
            before[slot] = now;
        }
    }

    static List<Integer> freeSlots(BlockPool pool) {
        List<Integer> slots = new ArrayList<>();
        for (int i = 0; i < pool.ledger.free.size(); i++) {
            slots.add(pool.ledger.free.ring[(pool.ledger.free.head + i) % pool.ledger.free.ring.length]);
        }
        return slots;
    }

    private static List<Integer> orderedSlots(BlockPool pool) {
        List<Integer> slots = new ArrayList<>();
        switch (pool.ledger.order) {
            case LineageOrder lineage -> {
                for (int list = lineage.idle; list <= lineage.aside; list++) {
                    for (int slot = lineage.next[list]; slot != list; slot = lineage.next[slot]) {
                        slots.add(slot);
                    }
                }
            }
            case PriorityOrder priority -> {
                for (int i = 0; i < priority.size; i++) {
                    slots.add(priority.heap[i]);
                }
            }
            default -> throw new AssertionError("The oracle does not know " + pool.ledger.order);
        }
        return slots;
    }
}
