package io.kvbm.remote;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.event.EventLog;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.NullStorage;
import io.kvbm.token.IdentityChain;

import static org.assertj.core.api.Assertions.assertThat;

/** A worker with pools of two levels and a journal, of which the number, start and sizes are given. */
final class Owner implements AutoCloseable {

    static final int PAGE = 4;

    final long workerId;
    final long epoch;
    final EventLog log;
    final List<BlockPool> pools = new ArrayList<>();
    final EventJournal journal;
    private final List<BlockList<ImmutableBlock>> held = new ArrayList<>();

    Owner(long workerId, long epoch, int device, int host, int journalCapacity, int pageEvents, int partSlots) {
        this.workerId = workerId;
        this.epoch = epoch;
        this.log = new EventLog(1 << 10);
        pools.add(pool(CacheLevel.G1, device));
        pools.add(pool(CacheLevel.G2, host));
        this.journal = EventJournal.open(workerId, epoch, pools, log, journalCapacity, pageEvents, partSlots);
    }

    private BlockPool pool(CacheLevel level, int blocks) {
        LayoutConfig config = LayoutConfig.builder().numBlocks(blocks).numLayers(1).pageSize(PAGE).innerDim(1).build();
        BlockLayout layout = BlockLayout.of(config, LayoutType.FULLY_CONTIGUOUS);
        BlockMemory memory = BlockMemory.over(layout, List.of(NullStorage.ofSize(layout.requiredAllocation())));
        return BlockPool.builder(new BlockSet(memory, pools.size(), workerId, level)).events(log).build();
    }

    List<IndexedLevel> levels() {
        return pools.stream()
                .map(pool -> new IndexedLevel(pool.blocks().level(), pool.blocks().number(), pool.totalBlocks()))
                .toList();
    }

    static IdentityChain chain(int first, int blocks) {
        IdentityChain chain = IdentityChain.xxh3(PAGE, 1337);
        chain.extend(IntStream.range(first, first + PAGE * blocks).toArray(), 0, PAGE * blocks);
        return chain;
    }

    /** Registers, holds, gives back, clears: something that makes events, or not. */
    void step(Random random) {
        BlockPool pool = pools.get(random.nextInt(pools.size()));
        switch (random.nextInt(40)) {
            case 0 -> pool.clear();
            case 1, 2, 3, 4, 5, 6, 7, 8 -> release(random);
            default -> {
                int blocks = 1 + random.nextInt(6);
                if (pool.availableBlocks() < blocks) {
                    release(random);
                } else {
                    held.add(pool.registerBlocks(pool.allocateBlocks(blocks), chain(random.nextInt(200), blocks), 0));
                }
            }
        }
    }

    /** As many steps with holds of one's own, so that several threads may do so. */
    void use(Random random, int steps) {
        BlockList<ImmutableBlock> own = null;
        for (int i = 0; i < steps; i++) {
            BlockPool pool = pools.get(random.nextInt(pools.size()));
            if (random.nextInt(200) == 0) {
                pool.clear();
            }
            int blocks = 1 + random.nextInt(6);
            BlockList<ImmutableBlock> next = pool.registerBlocks(pool.allocateBlocks(blocks),
                    chain(random.nextInt(200), blocks), 0);
            if (own != null) {
                own.close();
            }
            own = next;
        }
        if (own != null) {
            own.close();
        }
    }

    private void release(Random random) {
        if (!held.isEmpty()) {
            held.remove(random.nextInt(held.size())).close();
        }
    }

    /** Waits until the journal was given everything that has happened. */
    void settle() throws InterruptedException {
        assertThat(journal.awaitKept(Duration.ofSeconds(20))).isTrue();
    }

    /** What the pools hold: slot to generation and identity, by level. */
    Map<CacheLevel, Map<Integer, List<Long>>> content() {
        Map<CacheLevel, Map<Integer, List<Long>>> content = new HashMap<>();
        for (BlockPool pool : pools) {
            Map<Integer, List<Long>> slots = new HashMap<>();
            pool.walkRegistered(0, pool.totalBlocks(),
                    (slot, generation, identity) -> slots.put(slot, List.of(generation, identity)));
            content.put(pool.blocks().level(), slots);
        }
        return content;
    }

    @Override
    public void close() {
        held.forEach(BlockList::close);
        journal.close();
        pools.forEach(BlockPool::close);
        log.close();
    }
}
