package io.kvbm.spring.boot.discovery;

/** A question that is turned away before it is read. */
final class Rejection extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final int status;

    /**
     * A rejection.
     *
     * @param status of HTTP: 400, 401, 403, 404, 405, 408, 413, 421 or 429
     * @param message why, which tells nothing of what this worker holds
     */
    Rejection(int status, String message) {
        super(message, null, false, false);
        this.status = status;
    }

    int status() {
        return status;
    }
}
