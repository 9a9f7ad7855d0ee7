package io.kvbm.tier;

/**
 * What has become of the blocks of one route since the manager was made.
 *
 * @param copies transfers that have ended well
 * @param blocks blocks that were copied
 * @param bytes bytes that were copied
 * @param nanos time that these transfers took in all
 * @param skippedBlocks blocks that were not copied, as too many were waiting already or the other level had no room
 * @param failedBlocks blocks whose transfer failed
 * @param pendingBlocks blocks that wait to be copied or are being copied
 */
public record RouteStats(long copies, long blocks, long bytes, long nanos, long skippedBlocks, long failedBlocks,
        long pendingBlocks) {}
