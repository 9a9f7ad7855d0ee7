package io.kvbm.remote;

/**
 * The way to another worker by which the two agree on things; no block passes here. Whoever implements it authenticates
 * both ends, bounds the size of every message, and waits for an answer no longer than it was told.
 */
@FunctionalInterface
public interface PeerLink {

    /**
     * Asks the other worker and waits for its answer.
     *
     * @throws io.kvbm.error.RemoteException {@code TRANSPORT} where it was not reached, {@code DEADLINE} where it did
     *         not answer in time; whether it has done what it was asked for is unknown then
     */
    PeerAnswer ask(PeerRequest request);
}
