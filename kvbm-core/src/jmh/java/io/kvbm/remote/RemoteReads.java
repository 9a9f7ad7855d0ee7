package io.kvbm.remote;

import java.lang.foreign.MemorySegment;
import java.util.List;

import io.kvbm.block.Pin;
import io.kvbm.token.IdentityChain;

/** Opens the reads of another process's blocks to the benchmarks. */
public final class RemoteReads implements AutoCloseable {

    private final PeerMemory peer;
    private final MappedLevel level;

    private RemoteReads(PeerMemory peer, int blockSet) {
        this.peer = peer;
        this.level = peer.level(blockSet).orElseThrow();
    }

    /** Maps what a worker of this host exports. */
    public static RemoteReads of(byte[] blockset, int blockSet, ChecksumMode checksums) {
        return new RemoteReads(PeerMemory.sameHost(checksums).open(BlocksetCodec.decode(blockset)).orElseThrow(),
                blockSet);
    }

    /** Reads consecutive blocks of a sequence with all looks. */
    public int read(int[] slots, long[] generations, IdentityChain chain, int from, List<Pin> destinations) {
        return level.read(new Wanted.Sequence(slots, generations, slots.length, chain, from), destinations, () -> true)
                .blocks();
    }

    /** The mapped memory of one block. */
    public MemorySegment block(int slot) {
        return level.memory.block(slot);
    }

    @Override
    public void close() {
        peer.close();
    }
}
