package io.kvbm.transfer;

/**
 * Moves the bytes of a plan by some strategies. An engine returns when the last byte has arrived, or throws and has
 * stopped writing; where it cannot stop, it keeps a share of the plan's hold until it has. It looks at the
 * {@link TransferControl} between pieces.
 */
public interface TransferEngine {

    /** Whether this engine moves bytes this way. */
    boolean supports(TransferStrategy strategy);

    /**
     * Moves the bytes.
     *
     * @throws io.kvbm.error.TransferException where it failed, ran out of time or was cancelled; what the destinations
     *         hold is then undefined
     */
    void transfer(TransferPlan plan, TransferControl control);
}
