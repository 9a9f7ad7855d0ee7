package io.kvbm.remote;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

import io.kvbm.block.Pin;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;

/** Opens the reads of another process's blocks to the benchmarks. */
public final class RemoteReads implements AutoCloseable {

    private static final Duration TIME = Duration.ofMinutes(1);

    private final Peers peers;
    private final Peer peer;
    private final MappedLevel level;
    private final int blockSet;

    private RemoteReads(Peers peers, Peer peer, MappedLevel level, int blockSet) {
        this.peers = peers;
        this.peer = peer;
        this.level = level;
        this.blockSet = blockSet;
    }

    /** Imports what a worker of this host exports. */
    public static RemoteReads of(byte[] exported, int blockSet, ChecksumMode checksums) {
        Blockset blockset = BlocksetCodec.decode(exported);
        PeerMemory memory = PeerMemory.sameHost(checksums).open(blockset).orElseThrow();
        LocalWorker reader = new LocalWorker(blockset.workerId() + 1, 1,
                Objects.requireNonNull(blockset.fingerprint()), Map.of());
        Peers peers = new Peers(reader, PeerLimits.DEFAULT, MonotonicClock.SYSTEM, _ -> Optional.of(memory));
        return new RemoteReads(peers, peers.importBlockset(blockset, null), memory.level(blockSet).orElseThrow(),
                blockSet);
    }

    /** Reads consecutive blocks of a sequence as a request does. */
    public int read(int[] slots, long[] generations, IdentityChain chain, int from, List<Pin> destinations) {
        return peer.copy(blockSet, new Wanted.Sequence(slots, generations, slots.length, chain, from), destinations,
                new TransferControl(MonotonicClock.SYSTEM, TIME)).blocks();
    }

    /** The mapped memory of one block. */
    public MemorySegment block(int slot) {
        return level.memory.block(slot);
    }

    @Override
    public void close() {
        peers.close();
    }
}
