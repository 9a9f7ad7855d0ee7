package io.kvbm.remote;

import java.time.Duration;

import io.kvbm.error.RemoteException;
import io.kvbm.token.ContentFingerprint;

/** What a worker answers to a {@link PeerRequest}. */
public sealed interface PeerAnswer {

    /**
     * Who answers. It alone says whether what is known of the worker is up to date.
     *
     * @param workerId the worker
     * @param epoch when it was started
     * @param fingerprint of what content it is
     * @param digest of the document that {@link Export} would have, see {@link BlocksetCodec#digest}
     * @param draining whether it is leaving and is to be asked for nothing new
     */
    record State(long workerId, long epoch, ContentFingerprint fingerprint, String digest, boolean draining)
            implements
                PeerAnswer {}

    /**
     * What the worker exports.
     *
     * @param blockset as {@link BlocksetCodec} writes it
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record Export(byte[] blockset) implements PeerAnswer {}

    /**
     * What has happened to its blocks, or what it holds, where what has happened is not known any more.
     *
     * @param frame as {@link EventFrameCodec} writes it
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record Events(byte[] frame) implements PeerAnswer {}

    /**
     * Blocks are held for the asker.
     *
     * @param lease the number of the lease; 0 where no block is held
     * @param checksums of the blocks that are held, from the first on: where one is gone, the lease ends before it
     * @param time for how long, on the clock of the owner
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record Leased(long lease, int[] checksums, Duration time) implements PeerAnswer {}

    /** It is done. */
    record Done() implements PeerAnswer {}

    /**
     * It is not done, and nothing has happened.
     *
     * @param kind why
     * @param message why, in words
     */
    record Refused(RemoteException.Kind kind, String message) implements PeerAnswer {}
}
