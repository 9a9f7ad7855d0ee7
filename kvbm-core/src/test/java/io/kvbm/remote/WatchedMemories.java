package io.kvbm.remote;

/** Memory of workers of this host, between any two steps of whose reads something happens. */
public final class WatchedMemories {

    private WatchedMemories() {}

    /** As {@link PeerMemory#sameHost}, and runs this before every step of a read. */
    public static PeerMemory.Source of(ChecksumMode checksums, Runnable meanwhile) {
        return blockset -> PeerMemory.open(blockset, checksums, _ -> meanwhile.run());
    }
}
