package io.kvbm;

import java.lang.foreign.ValueLayout;
import java.util.List;

import io.kvbm.block.Block;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.LeakDetection;
import io.kvbm.storage.HostAllocator;
import io.kvbm.token.ModelIdentity;

/**
 * A model of two layers whose K and V at a position are eight bytes each, a function of the tenant, all tokens up to
 * the position, the layer, and which of both it is: as with a real one, nothing else decides.
 */
public final class ToyModel {

    public static final int PAGE = 4;
    private static final int LAYERS = 2;

    private ToyModel() {}

    static KvManagerModelConfig.Builder model(int pageSize) {
        return KvManagerModelConfig.builder()
                .numLayers(LAYERS)
                .outerDim(2)
                .pageSize(pageSize)
                .innerDim(8)
                .dtype(DType.U8);
    }

    /** The same model under a name, so that workers share it. */
    public static KvManagerModelConfig named(String name) {
        return named(name, 8);
    }

    /** The same model under a name, of which some bytes at each position are not used. */
    public static KvManagerModelConfig named(String name, int bytes) {
        return KvManagerModelConfig.of(ModelIdentity.builder()
                .modelId(name)
                .revision("1")
                .dtype(DType.U8.name())
                .layers(LAYERS)
                .outer(2)
                .heads(1)
                .headDim(bytes)
                .pageSize(PAGE)
                .build());
    }

    static KvBlockManagerConfig.Builder config(int blocks, LayoutType layout) {
        return KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(1).build())
                .model(model(PAGE).build())
                .leakDetection(LeakDetection.FULL)
                .hostLayout(KvManagerLayoutConfig.builder()
                        .numBlocks(blocks)
                        .layoutType(layout)
                        .allocator(HostAllocator.create())
                        .build());
    }

    /** How the bytes of blocks are reached. */
    interface Memory {

        /** By the processor. */
        Memory HOST = new Memory() {

            @Override
            public long get(Block block, int layer, int outer, long offset) {
                return block.segment(layer, outer).get(ValueLayout.JAVA_LONG_UNALIGNED, offset);
            }

            @Override
            public void set(Block block, int layer, int outer, long offset, long value) {
                block.segment(layer, outer).set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
            }
        };

        long get(Block block, int layer, int outer, long offset);

        void set(Block block, int layer, int outer, long offset, long value);
    }

    /** Computes positions {@code from} (inclusive) to {@code to} (exclusive) into the sequence's blocks. */
    public static void compute(KvSequence sequence, String tenant, int from, int to) {
        compute(Memory.HOST, sequence, tenant, from, to);
    }

    static void compute(Memory memory, KvSequence sequence, String tenant, int from, int to) {
        int page = sequence.blocks().isEmpty() ? 1 : sequence.blocks().getFirst().layout().pageSize();
        long state = tenant.hashCode();
        for (int position = 0; position < to; position++) {
            state = next(state, sequence.token(position));
            if (position < from) {
                continue;
            }
            Block block = sequence.blocks().get(position / page);
            for (int part = 0; part < LAYERS * 2; part++) {
                memory.set(block, part / 2, part % 2, position % page * 8L, value(state, part));
            }
        }
    }

    /** Computes what is missing up to a position and says so. */
    public static void computeTo(KvSequence sequence, String tenant, int to) {
        compute(sequence, tenant, sequence.computedTokens(), to);
        sequence.computed(to);
    }

    /** Fails unless the blocks hold what the model computes for the first {@code to} of these tokens. */
    public static void verify(KvSequence sequence, String tenant, List<Integer> tokens, int to) {
        verify(Memory.HOST, sequence, tenant, tokens, to);
    }

    static void verify(Memory memory, KvSequence sequence, String tenant, List<Integer> tokens, int to) {
        List<Block> blocks = sequence.blocks();
        int page = blocks.isEmpty() ? 1 : blocks.getFirst().layout().pageSize();
        long state = tenant.hashCode();
        for (int position = 0; position < to; position++) {
            state = next(state, tokens.get(position));
            Block block = blocks.get(position / page);
            for (int part = 0; part < LAYERS * 2; part++) {
                long found = memory.get(block, part / 2, part % 2, position % page * 8L);
                if (found != value(state, part)) {
                    throw new AssertionError("Wrong bytes at position " + position + " of " + to + ", part " + part
                            + ", block " + block.id() + ", tenant '" + tenant + "', tokens " + tokens);
                }
            }
        }
    }

    private static long next(long state, int token) {
        long mixed = (state ^ token + 0x9E3779B97F4A7C15L) * 0xBF58476D1CE4E5B9L;
        return mixed ^ mixed >>> 29;
    }

    private static long value(long state, int part) {
        return (state + part) * 0x94D049BB133111EBL;
    }
}
