package io.kvbm.pool;

import io.kvbm.storage.CacheLevel;

/** What a pool has counted since it was made; see {@link PoolStats} for what each counts. Guarded by the pool's lock. */
final class PoolCounters {

    long allocations;
    long evictions;
    long allocationFailures;
    long registrations;
    long registrationDedup;
    long matchHashesRequested;
    long matchBlocksReturned;
    long leaked;

    PoolStats stats(CacheLevel level, SlotLedger ledger, int waiters) {
        return new PoolStats(level, ledger.size(), ledger.usable(), ledger.free.size(), ledger.inactive(),
                ledger.active(), ledger.owned(), ledger.unlisted(), ledger.holders(), waiters, allocations,
                allocations - evictions, evictions, allocationFailures, registrations, registrationDedup,
                matchHashesRequested, matchBlocksReturned, leaked);
    }
}
