package io.kvbm.remote;

/**
 * What has been taken from peers. Why a read ended early is told by each peer, see {@link PeerStats}.
 *
 * @param proposed blocks that the index believed a peer to have
 * @param taken blocks that were read and registered
 * @param noRoom blocks for which this worker had no room
 * @param refused blocks of peers that were leaving, busy, or left alone, or that were not read in time
 */
public record TakeStats(long proposed, long taken, long noRoom, long refused) {}
