package io.kvbm.transfer;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells another observer, and logs what that one throws. */
record UnharmfulObserver(TransferObserver observer) implements TransferObserver {

    private static final Logger log = LoggerFactory.getLogger(TransferObserver.class);

    @Override
    public Copy begins(Way way, int blocks) {
        try {
            Copy copy = observer.begins(way, blocks);
            return failure -> {
                try {
                    copy.ended(failure);
                } catch (RuntimeException e) {
                    log.warn("An observer failed when a copy had ended", e);
                }
            };
        } catch (RuntimeException e) {
            log.warn("An observer failed when a copy began, which goes on", e);
            return NONE.begins(way, blocks);
        }
    }
}
