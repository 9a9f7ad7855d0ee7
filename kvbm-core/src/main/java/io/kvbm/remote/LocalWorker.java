package io.kvbm.remote;

import java.util.Map;

import io.kvbm.layout.LayoutConfig;
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
}
