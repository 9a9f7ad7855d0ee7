package io.kvbm.tier;

import java.util.List;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.MutableBlock;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferObserver;
import io.kvbm.transfer.TransferRequest;

/** Copies blocks of one level into blocks of another, counted and observed. */
final class Copier {

    private final TransferDispatcher transfers;
    private final MonotonicClock clock;
    private final TransferObserver observer;

    Copier(TransferDispatcher transfers, MonotonicClock clock, TransferObserver observer) {
        this.transfers = transfers;
        this.clock = clock;
        this.observer = observer.unharmful();
    }

    /** Copies in the calling thread. */
    void copy(Route route, List<? extends BlockHandle> from, List<MutableBlock> to, TransferControl control,
            RouteCounters counters) {
        TransferObserver.Copy observed = observer.begins(route.way(), to.size());
        long begun = clock.nanoTime();
        try {
            transfers.execute(TransferRequest.put(from, to), control);
        } catch (RuntimeException | Error e) {
            counters.failed(to.size());
            observed.ended(0, e);
            throw e;
        }
        counters.copied(to.size(), to.size() * to.getFirst().layout().bytesPerBlock(), clock.nanoTime() - begun);
        observed.ended(to.size(), null);
    }
}
