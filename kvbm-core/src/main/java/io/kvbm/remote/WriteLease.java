package io.kvbm.remote;

import io.kvbm.block.BlockDescriptorList;

/**
 * Mutable blocks that another worker may fill. Their owner sends it to the writer, on whatever way the application has.
 *
 * @param number what the writer names when it puts, and when it has done
 * @param writer the worker that may write, unsigned
 * @param kind how it writes
 * @param blocks the blocks
 */
public record WriteLease(long number, long writer, Writer kind, BlockDescriptorList blocks) {}
