package io.kvbm.token;

/**
 * The blocks from index {@code from}, inclusive, to {@code to}, exclusive, of a sequence; at least one.
 *
 * @param from index of the first block
 * @param to   index after the last block
 */
public record BlockRange(int from, int to) {

    /** Refuses an empty or negative range. */
    public BlockRange {
        if (from < 0 || to <= from) {
            throw new IllegalArgumentException("block range from " + from + " to " + to + " is empty or negative");
        }
    }

    /** How many blocks. */
    public int size() {
        return to - from;
    }
}
