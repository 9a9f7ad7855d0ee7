package io.kvbm.remote;

import io.kvbm.storage.CacheLevel;

/**
 * Who holds a block: one block set of one worker since one start.
 *
 * @param workerId the worker, unsigned
 * @param epoch when the worker was started, unsigned
 * @param level the level of the block set
 * @param blockSet the number of the set at its worker
 */
public record Holder(long workerId, long epoch, CacheLevel level, int blockSet) {}
