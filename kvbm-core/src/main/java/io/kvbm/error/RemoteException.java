package io.kvbm.error;

import org.jspecify.annotations.Nullable;

/** Another worker, or what came from it, cannot be used. */
public final class RemoteException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** What went wrong. */
    public enum Kind {
        /** The bytes or numbers from another worker are not of the expected form, or contradict each other. */
        MALFORMED(Decision.FATAL),

        /** The document needs a reader of a later version. */
        UNSUPPORTED_VERSION(Decision.FATAL),

        /** The reference's form has no words for this layout or this kind of memory. */
        UNSUPPORTED_LAYOUT(Decision.FATAL),

        /** Something from or for another worker is larger than its limit; trying again cannot help. */
        LIMIT(Decision.FATAL),

        /** The other worker has our own id. */
        OWN_WORKER(Decision.FATAL),

        /** The other worker's blocks do not have the shape of ours. */
        GEOMETRY(Decision.FATAL),

        /** The other worker was started anew since. */
        STALE_EPOCH(Decision.MISS),

        /** No worker of this id is imported. */
        UNKNOWN_WORKER(Decision.MISS),

        /** The worker exports no block set of this number. */
        UNKNOWN_BLOCK_SET(Decision.FATAL),

        /** The block set has no block of this index. */
        INDEX_OUT_OF_RANGE(Decision.FATAL),

        /** The block may not be written, but is to be. */
        NOT_MUTABLE(Decision.FATAL),

        /** The other worker is leaving and is asked for nothing new. */
        DRAINING(Decision.MISS),

        /** The other worker could not be reached, or its memory could not. */
        TRANSPORT(Decision.MISS),

        /** The content that was asked for is not there, or was replaced while it was read. */
        STALE_BLOCK(Decision.MISS),

        /** As much is under way with the other worker as may be. */
        BUSY(Decision.RETRY),

        /** The other worker did not answer in time. */
        DEADLINE(Decision.MISS);

        private final Decision decision;

        Kind(Decision decision) {
            this.decision = decision;
        }
    }

    private final Kind kind;

    /** An error of this kind; the message states value, limit and remedy. */
    public RemoteException(Kind kind, String message) {
        this(kind, message, null);
    }

    /** An error of this kind with the exception that caused it. */
    public RemoteException(Kind kind, String message, @Nullable Throwable cause) {
        super(kind.decision, message, cause);
        this.kind = kind;
    }

    /** What went wrong. */
    public Kind kind() {
        return kind;
    }
}
