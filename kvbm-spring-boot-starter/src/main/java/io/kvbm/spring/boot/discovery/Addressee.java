package io.kvbm.spring.boot.discovery;

import io.kvbm.remote.LocalWorker;
import io.kvbm.remote.PeerAnswer;

/**
 * Whom a question is for: one life of one worker. A worker's number alone would name its next life too, and a time of
 * start every worker that was started with it.
 *
 * @param workerId the worker, unsigned
 * @param epoch when it was started, unsigned
 */
record Addressee(long workerId, long epoch) {

    /** Header of the addressee; a question for whoever sits at an address has none. */
    static final String HEADER = "Kvbm-To";

    /** This worker. */
    static Addressee of(LocalWorker worker) {
        return new Addressee(worker.workerId(), worker.epoch());
    }

    /** Who has answered. */
    static Addressee of(PeerAnswer.State state) {
        return new Addressee(state.workerId(), state.epoch());
    }

    /** As the header has it. */
    @Override
    public String toString() {
        return Long.toUnsignedString(workerId) + "/" + Long.toUnsignedString(epoch);
    }
}
