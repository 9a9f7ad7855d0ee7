package io.kvbm.remote;

/**
 * What has been taken from peers. Why a read ended early is told by each peer, see {@link PeerStats}.
 *
 * @param proposed blocks that the index believed a peer to have, counted each time that it was asked
 * @param taken blocks that were read and registered
 * @param refused blocks of peers that were leaving, busy or left alone, or whose link did not answer in time
 * @param failed blocks that were not taken for reasons that nobody expects, of which the log tells
 */
public record TakeStats(long proposed, long taken, long refused, long failed) {}
