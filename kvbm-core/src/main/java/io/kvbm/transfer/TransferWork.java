package io.kvbm.transfer;

/** Moves bytes in a way that only its maker knows. */
@FunctionalInterface
public interface TransferWork {

    /**
     * Returns when the last byte has arrived, or throws and has stopped writing; it looks at the control between pieces.
     */
    void run(TransferControl control);
}
