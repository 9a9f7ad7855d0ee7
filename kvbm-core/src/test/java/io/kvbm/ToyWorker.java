package io.kvbm;

import java.util.stream.IntStream;

import io.kvbm.layout.LayoutType;
import io.kvbm.storage.HostAllocator;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.ModelIdentity;

/**
 * One of the workers of a service that share a toy model.
 *
 * @param id the worker
 * @param epoch its start
 * @param layout how its blocks lie
 * @param blocks how many it has
 * @param outer the outer parts of the model's layers
 * @param elements the elements per token of the model
 */
record ToyWorker(long id, long epoch, LayoutType layout, int blocks, int outer, int elements) {

    private static final int PAGE = 4;

    /** A worker of blocks of 128 bytes. */
    ToyWorker(long id, long epoch, LayoutType layout) {
        this(id, epoch, layout, 16, 2, 8);
    }

    /** The worker of {@link #toWords()}. */
    static ToyWorker ofWords(String[] words) {
        return new ToyWorker(Long.parseLong(words[0]), Long.parseLong(words[1]), LayoutType.valueOf(words[2]),
                Integer.parseInt(words[3]), Integer.parseInt(words[4]), Integer.parseInt(words[5]));
    }

    String toWords() {
        return id + " " + epoch + " " + layout + " " + blocks + " " + outer + " " + elements;
    }

    KvBlockManager start(MonotonicClock clock) {
        ModelIdentity model = ModelIdentity.builder()
                .modelId("toy")
                .revision("1")
                .dtype("U8")
                .layers(2)
                .outer(outer)
                .heads(1)
                .headDim(elements)
                .pageSize(PAGE)
                .build();
        return KvBlockManager.create(KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(id).epoch(epoch).build())
                .model(KvManagerModelConfig.of(model))
                .hostLayout(KvManagerLayoutConfig.builder()
                        .numBlocks(blocks)
                        .layoutType(layout)
                        .allocator(HostAllocator.create())
                        .build())
                .sharing(KvManagerSharingConfig.builder().build())
                .clock(clock)
                .build());
    }

    /** Blocks of a sequence that follows from its first token. */
    static IdentityChain chain(KvBlockManager manager, int first, int blocks) {
        IdentityChain chain = manager.chain("");
        chain.extend(IntStream.range(first, first + blocks * PAGE).toArray(), 0, blocks * PAGE);
        return chain;
    }
}
