package io.kvbm.bench;

import java.util.List;
import java.util.concurrent.atomic.LongAdder;

import io.kvbm.block.BlockSet;
import io.kvbm.event.EventListener;
import io.kvbm.event.EventLog;
import io.kvbm.event.KvEvent;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.NullStorage;
import io.kvbm.token.ContentFingerprint;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.ModelIdentity;
import io.kvbm.token.TokenHash;

/** Pools as an application has them: events on, one listener. */
final class Pools {

    static final int BLOCKS = 8192;
    static final int PAGE = 16;

    private static final ContentFingerprint FINGERPRINT = ModelIdentity.builder()
            .modelId("bench")
            .revision("1")
            .dtype("FP16")
            .layers(1)
            .heads(1)
            .headDim(1)
            .pageSize(PAGE)
            .build()
            .fingerprint();

    private Pools() {}

    static BlockPool pool(IdentityKind identity) {
        LayoutConfig config = LayoutConfig.builder().numBlocks(BLOCKS).numLayers(1).pageSize(PAGE).innerDim(1).build();
        BlockLayout layout = BlockLayout.of(config, LayoutType.FULLY_CONTIGUOUS);
        BlockMemory memory = BlockMemory.over(layout, List.of(NullStorage.ofSize(layout.requiredAllocation())));
        EventLog events = new EventLog();
        LongAdder taken = new LongAdder();
        events.subscribe("bench", new EventListener() {
            @Override
            public void onEvents(long firstSequence, List<KvEvent> batch) {
                taken.add(batch.size());
            }

            @Override
            public void onGap(long expected, long next) {
                taken.increment();
            }
        });
        return BlockPool.builder(new BlockSet(memory, 1, 1, CacheLevel.G2)).identity(identity).events(events).build();
    }

    static IdentityChain chain(IdentityKind identity) {
        return chain(identity, PAGE);
    }

    static IdentityChain chain(IdentityKind identity, int page) {
        return identity == IdentityKind.XXH3 ? IdentityChain.xxh3(page, TokenHash.DEFAULT_SALT_HASH)
                : new IdentityChain(FINGERPRINT, "", identity, page);
    }

    /** Fills an array with tokens that no call before had, as the peer's harness makes them. */
    static int[] tokens(int counter, int n) {
        int[] tokens = new int[n];
        int base = counter * 0x9E37_79B1;
        for (int i = 0; i < n; i++) {
            tokens[i] = base ^ i;
        }
        return tokens;
    }
}
