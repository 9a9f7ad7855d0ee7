package io.kvbm.spring.boot;

import java.util.stream.Stream;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.Storage;
import io.kvbm.storage.StorageAllocator;
import io.kvbm.tier.Route;
import io.kvbm.tier.RouteStats;
import io.kvbm.token.ModelIdentity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** A cache of 64 blocks of 4 tokens and 512 bytes, as properties and as a bean. */
public final class SmallCache {

    /** Bytes of a block: 2 layers, K and V, 4 tokens, 2 heads of 8 elements of 2 bytes. */
    public static final int BLOCK_BYTES = 2 * 2 * 4 * 2 * 8 * 2;

    /** Tokens of a block. */
    public static final int PAGE_SIZE = 4;

    private SmallCache() {}

    /** The model's geometry and nothing else. */
    public static String[] geometry() {
        return new String[]{"kvbm.model.layers=2", "kvbm.model.heads=2", "kvbm.model.head-dim=8",
            "kvbm.model.page-size=4"};
    }

    /** Everything that has to be set, and these. */
    public static String[] properties(String... more) {
        return Stream.of(geometry(), new String[]{"kvbm.host.blocks=64", "kvbm.worker-id=7"}, more)
                .flatMap(Stream::of)
                .toArray(String[]::new);
    }

    /** A model of the same geometry with a name. */
    public static ModelIdentity identity() {
        return identity("r1");
    }

    /** The same with other weights, so that nothing computed with the one is of use to the other. */
    public static ModelIdentity identity(String revision) {
        return ModelIdentity.builder()
                .modelId("small")
                .revision(revision)
                .adapter("tuned@3")
                .dtype("BF16")
                .layers(2)
                .outer(2)
                .heads(2)
                .headDim(8)
                .pageSize(PAGE_SIZE)
                .rankLayout("tp0of2")
                .build();
    }

    /** A configuration of four blocks of that model in memory from this allocator. */
    public static KvBlockManagerConfig config(StorageAllocator<? extends Storage> allocator) {
        return builder().hostLayout(blocks(4, allocator)).build();
    }

    /** Sixteen such blocks with four above them, where a GPU's would be; both are in host memory. */
    public static KvBlockManagerConfig tiered() {
        return builder().hostLayout(blocks(16, HostAllocator.create())).deviceLayout(device()).build();
    }

    /** Four blocks that stand for a GPU's. */
    public static KvManagerLayoutConfig device() {
        return blocks(4, HostAllocator.create());
    }

    /** A configuration of that model without any memory yet. */
    public static KvBlockManagerConfig.Builder builder() {
        return KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(7).build())
                .model(KvManagerModelConfig.of(identity()));
    }

    /** That many of its blocks in memory from this allocator. */
    public static KvManagerLayoutConfig blocks(int number, StorageAllocator<? extends Storage> allocator) {
        return KvManagerLayoutConfig.builder().numBlocks(number).allocator(allocator).build();
    }

    /** Waits until that many blocks are copied down from the level above, and nothing is held there for it any more. */
    public static void awaitOffloaded(KvBlockManager manager, long blocks) {
        await().untilAsserted(() -> {
            RouteStats stats = manager.tiering().orElseThrow().stats(Route.OFFLOAD);
            assertThat(stats.blocks()).isEqualTo(blocks);
            assertThat(stats.pendingBlocks()).isZero();
        });
    }
}
