package io.kvbm.remote;

import java.util.List;

import io.kvbm.block.BlockList;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.HostAllocator;
import io.kvbm.token.IdentityChain;

/** A worker that maps another's memory and reads blocks of it into its own. */
final class Reader implements AutoCloseable {

    final PeerMemory peer;
    final MappedLevel level;
    final BlockList<MutableBlock> blocks;

    final List<Pin> pins;

    private final BlockPool pool;

    Reader(Blockset blockset, ChecksumMode checksums, ReadStep.Watcher watcher, LayoutType type) {
        this.peer = PeerMemory.open(blockset, checksums, watcher).orElseThrow();
        this.level = peer.level(SharedPool.SET).orElseThrow();
        LayoutConfig config = level.layout().config();
        BlockMemory memory = BlockMemory.allocate(config, type, HostAllocator.builder().name("kvbm-reader").build());
        this.pool = BlockPool.builder(new BlockSet(memory, 1, 99, CacheLevel.G2)).build();
        this.blocks = pool.allocateBlocks(config.numBlocks());
        this.pins = blocks.stream().map(MutableBlock::pin).toList();
    }

    Reader(Blockset blockset, ChecksumMode checksums, ReadStep.Watcher watcher) {
        this(blockset, checksums, watcher, LayoutType.FULLY_CONTIGUOUS);
    }

    /** What another worker believes to know of consecutive blocks of a sequence. */
    @SuppressWarnings("ArrayRecordComponent") // test code compares none
    record Known(int[] slots, long[] generations, IdentityChain chain, int from) {

        int size() {
            return slots.length;
        }

        Wanted wanted() {
            return new Wanted.Sequence(slots, generations, slots.length, chain, from);
        }

        long identity(int i) {
            return chain.probe(from + i);
        }
    }

    static Known known(List<ImmutableBlock> registered, IdentityChain chain, int from) {
        return new Known(registered.stream().mapToInt(ImmutableBlock::index).toArray(),
                registered.stream().mapToLong(ImmutableBlock::generation).toArray(), chain, from);
    }

    ReadResult read(Wanted wanted) {
        return level.read(wanted, pins, () -> true);
    }

    ReadResult read(Known known) {
        return read(known.wanted());
    }

    /** How many of the first blocks read do not hold the bytes of their identities. */
    int wrong(Known known, int taken) {
        int wrong = 0;
        for (int i = 0; i < taken; i++) {
            wrong += SharedPool.holds(blocks.get(i), known.identity(i)) ? 0 : 1;
        }
        return wrong;
    }

    @Override
    public void close() {
        peer.close();
        pins.forEach(Pin::close);
        blocks.close();
        pool.close();
    }
}
