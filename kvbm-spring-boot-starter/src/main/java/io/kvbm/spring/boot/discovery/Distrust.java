package io.kvbm.spring.boot.discovery;

/**
 * Another instance does not trust this one, or cannot be believed itself. That does not pass by itself, as silence does:
 * keys or certificates have to be set right.
 */
final class Distrust extends RuntimeException {

    private static final long serialVersionUID = 1L;

    Distrust(String message) {
        super(message, null, false, false);
    }
}
