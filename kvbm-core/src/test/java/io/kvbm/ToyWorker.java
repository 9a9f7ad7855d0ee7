package io.kvbm;

import java.util.Map;
import java.util.stream.IntStream;

import io.kvbm.layout.LayoutType;
import io.kvbm.nixl.InstalledNixl;
import io.kvbm.nixl.NixlAgentConfig;
import io.kvbm.nixl.NixlTransport;
import io.kvbm.remote.PeerMemory;
import io.kvbm.storage.HostAllocator;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.ModelIdentity;
import io.kvbm.transfer.RemoteTransport;

/**
 * One of the workers of a service that share a toy model.
 *
 * @param id the worker
 * @param epoch its start
 * @param layout how its blocks lie
 * @param blocks how many it has
 * @param outer the outer parts of the model's layers
 * @param elements the elements per token of the model
 * @param way how it reaches the memory of others
 */
record ToyWorker(long id, long epoch, LayoutType layout, int blocks, int outer, int elements, Way way) {

    static final int PAGE = 4;

    /** How the memory of other workers is reached. */
    enum Way {

        MAPPED,

        /** As if all others were on other hosts. */
        NIXL
    }

    /** A worker that maps the memory of others. */
    ToyWorker(long id, long epoch, LayoutType layout, int blocks, int outer, int elements) {
        this(id, epoch, layout, blocks, outer, elements, Way.MAPPED);
    }

    /** A worker of blocks of 128 bytes. */
    ToyWorker(long id, long epoch, LayoutType layout) {
        this(id, epoch, layout, 16, 2, 8);
    }

    /** The worker of {@link #toWords()}. */
    static ToyWorker ofWords(String[] words) {
        return new ToyWorker(Long.parseLong(words[0]), Long.parseLong(words[1]), LayoutType.valueOf(words[2]),
                Integer.parseInt(words[3]), Integer.parseInt(words[4]), Integer.parseInt(words[5]),
                Way.valueOf(words[6]));
    }

    String toWords() {
        return id + " " + epoch + " " + layout + " " + blocks + " " + outer + " " + elements + " " + way;
    }

    /** The same worker, which reaches others by NIXL and by nothing else. */
    ToyWorker overNixl() {
        return new ToyWorker(id, epoch, layout, blocks, outer, elements, Way.NIXL);
    }

    /** The manager of a worker that maps the memory of others, which is all it consists of. */
    KvBlockManager start(MonotonicClock clock) {
        if (way != Way.MAPPED) {
            throw new IllegalStateException("A worker over " + way + " has more to close than a manager");
        }
        return start(clock, KvManagerSharingConfig.builder()).manager();
    }

    /** Starts it, sharing so. */
    StartedWorker start(MonotonicClock clock, KvManagerSharingConfig.Builder sharing) {
        if (way == Way.MAPPED) {
            return new StartedWorker(manager(clock, sharing), null);
        }
        NixlTransport transport = NixlTransport.start(InstalledNixl.library(),
                NixlAgentConfig.of(RemoteTransport.agentName(id, epoch)), "UCX", Map.of());
        try {
            return new StartedWorker(manager(clock, sharing.memories(PeerMemory.Source.NONE).transport(transport)),
                    transport);
        } catch (RuntimeException | Error e) {
            transport.close();
            throw e;
        }
    }

    private KvBlockManager manager(MonotonicClock clock, KvManagerSharingConfig.Builder sharing) {
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
                .sharing(sharing.build())
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
