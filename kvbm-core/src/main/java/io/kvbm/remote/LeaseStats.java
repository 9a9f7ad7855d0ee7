package io.kvbm.remote;

/**
 * What this worker holds for others.
 *
 * @param readLeases leases of blocks that are being read
 * @param writeLeases leases of blocks that are being written
 * @param quarantined blocks whose writer has not said within its time that it has done
 * @param expired leases whose time was over before they were ended
 * @param refused leases that were refused because too much is leased
 */
public record LeaseStats(int readLeases, int writeLeases, int quarantined, long expired, long refused) {}
