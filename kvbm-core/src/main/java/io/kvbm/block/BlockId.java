package io.kvbm.block;

/**
 * The address of a block among all workers.
 *
 * @param workerId the worker whose memory it is, unsigned
 * @param blockSet index of the block set inside the worker
 * @param index index of the block inside the set
 */
public record BlockId(long workerId, int blockSet, int index) {

    @Override
    public String toString() {
        return Long.toUnsignedString(workerId) + "/" + blockSet + "/" + index;
    }
}
