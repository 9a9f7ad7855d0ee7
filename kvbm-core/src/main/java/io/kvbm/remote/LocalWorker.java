package io.kvbm.remote;

import java.util.List;
import java.util.Map;

import io.kvbm.layout.LayoutConfig;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.ContentFingerprint;

/**
 * This worker, as far as others are compared with it.
 *
 * @param workerId its number, unsigned
 * @param epoch when it was started, in wall milliseconds, unsigned
 * @param fingerprint of which model its content is
 * @param layouts the dimensions of its blocks by level
 */
public record LocalWorker(long workerId, long epoch, ContentFingerprint fingerprint,
        Map<CacheLevel, LayoutConfig> layouts) {

    /** Copies the map. */
    public LocalWorker {
        layouts = Map.copyOf(layouts);
    }

    /** What this worker exports: the blocks of these pools, within this host. */
    public Blockset blockset(List<BlockPool> pools) {
        return blockset(pools, new byte[0]);
    }

    /**
     * What this worker exports: the blocks of these pools.
     *
     * @param agentMetadata what reaches them from elsewhere; empty where nothing does
     */
    public Blockset blockset(List<BlockPool> pools, byte[] agentMetadata) {
        return new Blockset(workerId, epoch, fingerprint, pools.stream().map(ExportedLevel::of).toList(),
                agentMetadata);
    }
}
