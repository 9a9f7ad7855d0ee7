package io.kvbm.error;

/** Something was used after it was closed. */
public final class ClosedException extends KvbmException {

    private static final long serialVersionUID = 1L;

    /** States what was used after its close. */
    public ClosedException(String message) {
        super(Decision.FATAL, message, null);
    }
}
