package io.kvbm.nixl;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.MutableBlock;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.transfer.BlockRanges;

import static org.assertj.core.api.Assertions.assertThat;

/** What is made for another agent is used again where the same is moved again. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class ConnectionTest {

    private static final int BLOCKS = 64;

    private final BlockMemory near = memory();
    private final BlockMemory far = memory();
    private final BlockSet mine = new BlockSet(near, 1, 1, CacheLevel.G2);
    private final BlockPool pool = BlockPool.builder(mine).build();
    private final BlockRanges ours = BlockRanges.of(mine);
    private final BlockRanges theirs = BlockRanges.of(new BlockSet(far, 1, 2, CacheLevel.G2));
    private final NixlAgent owner = InstalledNixl.library().createAgent(NixlAgentConfig.of("8.1"));
    private final NixlAgent agent = InstalledNixl.library().createAgent(NixlAgentConfig.of("initiator-of-requests"));
    private final Initiator initiator = new Initiator(agent, agent.createBackend("UCX"));
    private final Connection connection;

    ConnectionTest() {
        NixlBackend backend = owner.createBackend("UCX");
        backend.register(far.storages().getFirst().address(), far.storages().getFirst().size());
        initiator.register((HostStorage) near.storages().getFirst());
        connection = new Connection(initiator, initiator.acquire(8, 1, owner.metadata()));
    }

    private static BlockMemory memory() {
        LayoutConfig config = LayoutConfig.builder()
                .numBlocks(BLOCKS)
                .numLayers(2)
                .pageSize(16)
                .innerDim(64)
                .build();
        return BlockMemory.allocate(config, LayoutType.FULLY_CONTIGUOUS, HostAllocator.create());
    }

    @AfterEach
    void close() {
        connection.release();
        initiator.stop();
        assertThat(initiator.awaitStop(Duration.ofSeconds(20))).isTrue();
        owner.close();
        pool.close();
        far.close();
    }

    private Connection.Prepared request(NixlOperation operation, List<MutableBlock> blocks, int... slots) {
        return connection.prepare(operation, theirs, slots, ours,
                blocks.stream().mapToInt(MutableBlock::index).toArray());
    }

    @Test
    void theSameMoveIsMadeOnceAndOtherOnesEachOnce() {
        try (BlockList<MutableBlock> two = pool.allocateBlocks(2);
                BlockList<MutableBlock> one = pool.allocateBlocks(1)) {
            Connection.Prepared first = request(NixlOperation.GET, two, 3, 4);
            Connection.Prepared meanwhile = request(NixlOperation.GET, two, 3, 4);
            assertThat(meanwhile.pooled().request()).as("the first is under way").isNotSameAs(first.pooled().request());
            first.giveBack();
            meanwhile.giveBack();
            assertThat(request(NixlOperation.GET, two, 3, 4).pooled().request()).isSameAs(first.pooled().request());
            first.giveBack();
            for (Connection.Prepared other : List.of(request(NixlOperation.PUT, two, 3, 4),
                    request(NixlOperation.GET, two, 4, 3), request(NixlOperation.GET, one, 3))) {
                assertThat(other.pooled().request()).isNotSameAs(first.pooled().request());
                other.giveBack();
            }
        }
    }

    @Test
    void asManyAsAreKeptAreThoseThatWereUsedLast() {
        try (BlockList<MutableBlock> one = pool.allocateBlocks(1)) {
            Map<Integer, NixlRequest> made = new HashMap<>();
            IntStream.range(0, BLOCKS).forEach(slot -> {
                Connection.Prepared pooled = request(NixlOperation.GET, one, slot);
                made.put(slot, pooled.pooled().request());
                pooled.giveBack();
            });
            long again = IntStream.range(0, BLOCKS).filter(slot -> {
                Connection.Prepared pooled = request(NixlOperation.GET, one, BLOCKS - 1 - slot);
                boolean same = pooled.pooled().request() == made.get(BLOCKS - 1 - slot);
                pooled.pooled().request().cancel();
                return same;
            }).count();
            assertThat(again).isEqualTo(32);
        }
    }
}
