package io.kvbm.tier;

import java.util.List;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.MutableBlock;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferRequest;

/** Copies blocks of one level into blocks of another, counted and observed. */
final class Copier {

    private static final Logger log = LoggerFactory.getLogger(Copier.class);

    private final TransferDispatcher transfers;
    private final MonotonicClock clock;
    private final RouteObserver observer;

    Copier(TransferDispatcher transfers, MonotonicClock clock, RouteObserver observer) {
        this.transfers = transfers;
        this.clock = clock;
        this.observer = observer;
    }

    /** Copies in the calling thread. */
    void copy(Route route, List<? extends BlockHandle> from, List<MutableBlock> to, TransferControl control,
            RouteCounters counters) {
        RouteObserver.Copy observed = begins(route, to.size());
        long begun = clock.nanoTime();
        try {
            transfers.execute(TransferRequest.put(from, to), control);
        } catch (RuntimeException | Error e) {
            counters.failed(to.size());
            unharmed(() -> observed.ended(e));
            throw e;
        }
        counters.copied(to.size(), to.size() * to.getFirst().layout().bytesPerBlock(), clock.nanoTime() - begun);
        unharmed(() -> observed.ended(null));
    }

    private RouteObserver.Copy begins(Route route, int blocks) {
        try {
            return observer.begins(route, blocks);
        } catch (RuntimeException e) {
            log.warn("An observer failed when a copy between levels began, which goes on", e);
            return RouteObserver.NONE.begins(route, blocks);
        }
    }

    private static void unharmed(Runnable told) {
        try {
            told.run();
        } catch (RuntimeException e) {
            log.warn("An observer failed when a copy between levels had ended", e);
        }
    }
}
