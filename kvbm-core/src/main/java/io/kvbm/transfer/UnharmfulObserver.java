package io.kvbm.transfer;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells another observer, and logs what that one throws unless the virtual machine itself has failed. */
record UnharmfulObserver(TransferObserver observer) implements TransferObserver {

    private static final Logger log = LoggerFactory.getLogger(TransferObserver.class);

    @Override
    public Copy begins(Way way, int blocks) {
        try {
            Copy copy = observer.begins(way, blocks);
            return (arrived, failure) -> {
                try {
                    copy.ended(arrived, failure);
                } catch (Throwable e) {
                    tell("An observer failed when a copy had ended", e);
                }
            };
        } catch (Throwable e) {
            tell("An observer failed when a copy began, which goes on", e);
            return NONE.begins(way, blocks);
        }
    }

    /** A class that it lacks is the observer's affair like all else; a machine that is out of memory is everybody's. */
    private static void tell(String what, Throwable failure) {
        if (failure instanceof VirtualMachineError fatal) {
            throw fatal;
        }
        log.warn(what, failure);
    }
}
