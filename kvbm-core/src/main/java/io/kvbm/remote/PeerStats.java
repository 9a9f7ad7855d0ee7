package io.kvbm.remote;

import java.util.Map;

/**
 * What has been read from one peer since it was imported.
 *
 * @param blocksRead blocks that were read and found right
 * @param bytesRead their bytes
 * @param misses reads that ended early, by reason
 */
public record PeerStats(long blocksRead, long bytesRead, Map<ReadOutcome, Long> misses) {

    /** Copies the map. */
    public PeerStats {
        misses = Map.copyOf(misses);
    }
}
