package io.kvbm.remote;

import java.time.Duration;
import java.util.List;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockSet;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.RemoteTransport;
import io.kvbm.transfer.TransferControl;

/** Opens the reads of blocks that a transport reaches to the benchmarks: those under a lease, and what moves the bytes. */
public final class LeasedReads implements AutoCloseable {

    private static final Duration TIME = Duration.ofMinutes(1);

    private final Peer peer;
    private final int blockSet;
    private final RemoteAccess access;
    private final BlockRanges from;
    private final BlockRanges to;

    /** Imports what a worker of another host would export, to be read into blocks of one set. */
    public LeasedReads(Peering reader, RemoteTransport transport, byte[] exported, PeerLink link, BlockSet into) {
        Blockset blockset = BlocksetCodec.decode(exported);
        ExportedLevel level = blockset.levels().getFirst();
        this.peer = reader.importBlockset(blockset, link);
        this.blockSet = level.blockSet();
        this.access = transport.connect(blockset.workerId(), blockset.epoch(), blockset.agentMetadata());
        this.from = level.ranges();
        this.to = BlockRanges.of(into);
    }

    /** Reads consecutive blocks of a sequence under a lease, and compares their checksums; returns how many. */
    public int read(int[] slots, long[] generations, IdentityChain chain, List<? extends BlockHandle> into) {
        return peer.read(blockSet, new Wanted.Sequence(slots, generations, slots.length, chain, 0), into, control())
                .blocks();
    }

    /** Moves the bytes by the same transport, and does nothing else. */
    public void readBare(int[] slots, List<? extends BlockHandle> into) {
        try (RemoteAccess.Move move = access.read(from, slots, to, into)) {
            move.start(new byte[0], () -> {});
            move.await(control());
        }
    }

    private static TransferControl control() {
        return new TransferControl(MonotonicClock.SYSTEM, TIME);
    }

    @Override
    public void close() {
        access.close();
    }
}
