package io.kvbm.remote;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;

import io.kvbm.block.Block;
import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.SlotBoard;
import io.kvbm.event.EventLog;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.DType;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.token.ContentFingerprint;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

/** A worker with one pool that others of its host may read. Each block holds bytes that follow from its identity alone. */
final class SharedPool implements AutoCloseable {

    static final int PAGE = 4;
    static final int SET = 1;
    static final ContentFingerprint FINGERPRINT = ContentFingerprint.ofBytes(new byte[ContentFingerprint.BYTES]);

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final long SPREAD = 0x9e37_79b9_7f4a_7c15L;

    final LocalWorker worker;
    final BlockMemory memory;
    final SlotBoard board;
    final EventLog events = new EventLog();
    final BlockPool pool;

    private SharedPool(long workerId, long epoch, LayoutConfig config, LayoutType type, IdentityKind identity) {
        this.worker = new LocalWorker(workerId, epoch, FINGERPRINT, Map.of(CacheLevel.G2, config));
        this.memory = BlockMemory.allocate(config, type, HostAllocator.builder().name("kvbm-remote").build());
        BlockSet blocks = new BlockSet(memory, SET, workerId, CacheLevel.G2);
        SlotBoard.Nonce nonce = new SlotBoard.Nonce(workerId * SPREAD + epoch, System.identityHashCode(this) + 1L);
        this.board = SlotBoard.create(blocks, epoch, nonce).orElseThrow();
        this.pool = BlockPool.builder(blocks)
                .identity(identity)
                .events(events)
                .board(board)
                .build();
    }

    static SharedPool of(long workerId, long epoch, LayoutConfig config, LayoutType type) {
        return new SharedPool(workerId, epoch, config, type, IdentityKind.SHA256);
    }

    static SharedPool of(long workerId, long epoch, int blocks, int words) {
        return of(workerId, epoch, blocks(blocks, words), LayoutType.FULLY_CONTIGUOUS);
    }

    static SharedPool of(int blocks, IdentityKind identity) {
        return new SharedPool(1, 1, blocks(blocks, 16), LayoutType.FULLY_CONTIGUOUS, identity);
    }

    /** Blocks of one layer of so many words. */
    static LayoutConfig blocks(int blocks, int words) {
        return LayoutConfig.builder()
                .numBlocks(blocks)
                .numLayers(1)
                .pageSize(PAGE)
                .innerDim(words * Long.BYTES / PAGE)
                .dtype(DType.U8)
                .build();
    }

    Blockset blockset() {
        return worker.blockset(List.of(pool));
    }

    /** Blocks of a sequence that follows from its seed. */
    static IdentityChain chain(IdentityKind kind, long seed, int blocks) {
        IdentityChain chain = new IdentityChain(FINGERPRINT, "", kind, PAGE);
        int[] tokens = new int[blocks * PAGE];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = (int) mix(seed * SPREAD + i);
        }
        chain.extend(tokens, 0, tokens.length);
        return chain;
    }

    static IdentityChain chain(long seed, int blocks) {
        return chain(IdentityKind.SHA256, seed, blocks);
    }

    /** Registers blocks of a sequence with their bytes, evicting what is in the way. */
    BlockList<ImmutableBlock> register(IdentityChain chain, int from, int to) {
        BlockList<MutableBlock> filled = pool.allocateBlocks(to - from);
        for (int i = from; i < to; i++) {
            fill(filled.get(i - from), chain.probe(i));
        }
        return pool.registerBlocks(filled, chain, from);
    }

    /** Takes every block that nobody holds out of the book and writes other bytes over it. */
    void reuseAll() {
        reuse(pool.availableBlocks());
    }

    /** Takes so many blocks, the least recently used first, out of the book and writes other bytes over them. */
    void reuse(int blocks) {
        try (BlockList<MutableBlock> taken = pool.allocateBlocks(blocks)) {
            for (MutableBlock block : taken) {
                fill(block, -1);
            }
        }
    }

    static void fill(Block block, long identity) {
        BlockLayout layout = block.layout();
        for (int layer = 0; layer < layout.numLayers(); layer++) {
            for (int outer = 0; outer < layout.outerDim(); outer++) {
                MemorySegment part = block.segment(layer, outer);
                for (long at = 0; at < part.byteSize(); at += Long.BYTES) {
                    part.set(LONG, at, word(identity, layer, outer, at));
                }
            }
        }
    }

    static boolean holds(Block block, long identity) {
        BlockLayout layout = block.layout();
        for (int layer = 0; layer < layout.numLayers(); layer++) {
            for (int outer = 0; outer < layout.outerDim(); outer++) {
                MemorySegment part = block.segment(layer, outer);
                for (long at = 0; at < part.byteSize(); at += Long.BYTES) {
                    if (part.get(LONG, at) != word(identity, layer, outer, at)) {
                        return false;
                    }
                }
            }
        }
        return true;
    }

    private static long word(long identity, int layer, int outer, long at) {
        return mix(identity + layer * 0x1_0000_0001L + ((long) outer << 48) + at * SPREAD);
    }

    private static long mix(long x) {
        long y = (x ^ x >>> 30) * 0xbf58_476d_1ce4_e5b9L;
        return y ^ y >>> 27;
    }

    @Override
    public void close() {
        pool.close();
        events.close();
    }
}
