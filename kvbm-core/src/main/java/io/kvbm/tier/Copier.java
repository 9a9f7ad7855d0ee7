package io.kvbm.tier;

import java.time.Duration;
import java.util.List;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.MutableBlock;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferRequest;

/** Copies blocks of one level into blocks of another, counted and observed. */
final class Copier {

    private final TransferDispatcher transfers;
    private final MonotonicClock clock;
    private final RouteObserver observer;

    Copier(TransferDispatcher transfers, MonotonicClock clock, RouteObserver observer) {
        this.transfers = transfers;
        this.clock = clock;
        this.observer = observer;
    }

    /** Copies in the calling thread. */
    void copy(Route route, List<? extends BlockHandle> from, List<MutableBlock> to, Duration limit,
            RouteCounters counters) {
        RouteObserver.Copy observed = observer.begins(route, to.size());
        long begun = clock.nanoTime();
        try {
            transfers.execute(TransferRequest.put(from, to), limit);
        } catch (RuntimeException | Error e) {
            counters.failed(to.size());
            observed.ended(e);
            throw e;
        }
        counters.copied(to.size(), to.size() * to.getFirst().layout().bytesPerBlock(), clock.nanoTime() - begun);
        observed.ended(null);
    }
}
