package io.kvbm.remote;

/**
 * The size of a {@link PeerIndex} at one moment.
 *
 * @param holders block sets of other workers
 * @param slots blocks that these have in all, with or without content
 * @param blocks blocks that they are believed to hold
 * @param identities different identities among those
 * @param bytes of the arrays
 */
public record PeerIndexStats(int holders, long slots, long blocks, long identities, long bytes) {}
