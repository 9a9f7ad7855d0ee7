package io.kvbm.transfer;

import org.jspecify.annotations.Nullable;

/**
 * Is told of each copy between levels and of each one from a peer, by the thread that makes it or waits for it. What it
 * throws is logged, and harms no copy.
 */
@FunctionalInterface
public interface TransferObserver {

    /** Looks away. */
    TransferObserver NONE = (_, _) -> (_, _) -> {};

    /** This one, with what it throws logged, and thrown on only where the virtual machine itself has failed. */
    default TransferObserver unharmful() {
        return new UnharmfulObserver(this);
    }

    /** A copy begins, of so many blocks as are wanted. */
    Copy begins(Way way, int blocks);

    /**
     * On which way blocks are copied.
     *
     * @param name what is done
     * @param from the tier that the blocks are copied from
     * @param to the tier that the blocks are copied to
     */
    record Way(String name, String from, String to) {}

    /** One copy. */
    @FunctionalInterface
    interface Copy {

        /**
         * It has ended.
         *
         * @param blocks how many of those that were wanted have arrived; a peer may have had fewer, or none any more
         * @param failure why it could not be made; null where it could, whatever has arrived
         */
        void ended(int blocks, @Nullable Throwable failure);
    }
}
