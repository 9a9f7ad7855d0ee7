package io.kvbm.remote;

import java.time.Duration;

import io.kvbm.error.RemoteException;
import io.kvbm.token.ContentFingerprint;

/**
 * What a worker answers to a {@link PeerRequest}. An answer that says something impossible cannot be made: it is refused
 * with a {@link RemoteException}, {@code MALFORMED}, or {@code LIMIT} where it says too much, see {@link ControlCodec}.
 */
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
                PeerAnswer {

        /** Refuses what is no digest. */
        public State {
            ControlRanges.requireDigest(digest);
        }
    }

    /**
     * What the worker exports.
     *
     * @param blockset as {@link BlocksetCodec} writes it
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record Export(byte[] blockset) implements PeerAnswer {

        /** Refuses what is too long for a blockset. */
        public Export {
            ControlRanges.requireAtMost("The length of the blockset in bytes", blockset.length,
                    BlocksetCodec.MAX_BYTES);
        }
    }

    /**
     * What has happened to its blocks, or what it holds, where what has happened is not known any more.
     *
     * @param frame as {@link EventFrameCodec} writes it
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record Events(byte[] frame) implements PeerAnswer {

        /** Refuses a frame that is too long. */
        public Events {
            ControlRanges.requireAtMost("The length of the frame of events in bytes", frame.length,
                    ControlCodec.MAX_FRAME_BYTES);
        }
    }

    /**
     * Blocks are held for the asker.
     *
     * @param lease the number of the lease; 0 where no block is held
     * @param checksums of the blocks that are held, from the first on: where one is gone, the lease ends before it
     * @param time for how long, on the clock of the owner
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, which is made once and read once
    record Leased(long lease, int[] checksums, Duration time) implements PeerAnswer {

        /** Refuses a lease of no block, blocks without a lease, and no time. */
        public Leased {
            ControlRanges.requireAtMost("The number of blocks", checksums.length, ControlCodec.MAX_SLOTS);
            if ((lease == 0) != (checksums.length == 0)) {
                throw Refusal.malformed("Lease " + Long.toUnsignedString(lease) + " holds " + checksums.length
                        + " blocks; 0 holds none, and every other at least one");
            }
            ControlRanges.requireTime(time);
        }
    }

    /** It is done. */
    record Done() implements PeerAnswer {}

    /**
     * It is not done, and nothing has happened.
     *
     * @param kind why
     * @param message why, in words
     */
    record Refused(RemoteException.Kind kind, String message) implements PeerAnswer {

        /** Cuts what is longer than {@link ControlCodec#MAX_REASON_BYTES} and puts a ? for what no line shows. */
        public Refused {
            message = ControlRanges.reason(message);
        }
    }
}
