package io.kvbm;

/**
 * What a manager's sequences have asked for since it was made.
 *
 * @param openSequences sequences that are open
 * @param sequencesOpened sequences that were ever opened
 * @param tokensRequested tokens that sequences were opened with; the denominator of the reuse rate
 * @param tokensReused those of them whose K/V was found and need not be computed
 * @param tokensFromPeers those of the reused ones whose K/V was taken from other workers
 * @param sequencesLeaked sequences that were never closed and were taken back by the leak net
 */
public record ManagerStats(long openSequences, long sequencesOpened, long tokensRequested, long tokensReused,
        long tokensFromPeers, long sequencesLeaked) {}
