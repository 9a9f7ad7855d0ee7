package io.kvbm.remote;

/**
 * How far a read of consecutive blocks came.
 *
 * @param blocks the number of blocks, from the first on, whose bytes are those that were wanted
 * @param end why it ended there; {@link ReadOutcome#TAKEN} where all were read
 */
public record ReadResult(int blocks, ReadOutcome end) {}
