package io.kvbm.pool;

import io.kvbm.storage.CacheLevel;

/**
 * The counts of a pool at one moment, all taken under one lock. Sizes are in blocks; counters only rise.
 *
 * @param level the pool's level
 * @param total blocks the pool is made of
 * @param usable blocks whose memory the operating system has given
 * @param free blocks without content
 * @param inactive registered blocks that nobody holds; they can be matched and evicted
 * @param active registered blocks that are held
 * @param owned blocks that are being filled
 * @param unlisted blocks that were cleared while held
 * @param holders open handles and pins
 * @param waiters callers that wait for blocks
 * @param allocations blocks handed out to be filled
 * @param allocationsFromReset those of them that had no content; the others were evicted
 * @param evictions registered blocks whose content was dropped to reuse them
 * @param allocationFailures requests refused because too few blocks were available
 * @param registrations blocks that became findable
 * @param registrationDedup blocks that were registered under an identity already present, so given back
 * @param matchHashesRequested identities asked for by prefix matches; the denominator of the hit rate
 * @param matchBlocksReturned blocks returned by prefix matches
 * @param leaked holds that were never closed and were taken back by the leak net
 */
public record PoolStats(CacheLevel level, int total, int usable, int free, int inactive, int active, int owned,
        int unlisted, long holders, int waiters, long allocations, long allocationsFromReset, long evictions,
        long allocationFailures, long registrations, long registrationDedup, long matchHashesRequested,
        long matchBlocksReturned, long leaked) {

    /** Blocks that could be allocated now. */
    public int available() {
        return free + inactive;
    }
}
