package io.kvbm.remote;

import java.util.Arrays;
import java.util.List;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.PinList;

/**
 * The checksums of what the slots of one pool hold, computed when they are asked for first: content does not change as
 * long as its generation lasts, and what one worker reads others read too. Safe for use by several threads.
 */
final class ContentChecksums {

    private static final long NONE = -1;

    private final long[] generations;
    private final int[] checksums;

    ContentChecksums(int slots) {
        this.generations = new long[slots];
        this.checksums = new int[slots];
        Arrays.fill(generations, NONE);
    }

    /** Of blocks that are held, in their order, and of which these are the pins. */
    int[] of(List<ImmutableBlock> blocks, PinList pins) {
        int[] found = new int[pins.size()];
        for (int i = 0; i < found.length; i++) {
            int slot = blocks.get(i).index();
            long generation = blocks.get(i).generation();
            if (!isKnown(slot, generation)) {
                know(slot, generation, BlockChecksum.of(pins.get(i))); // two may compute the same
            }
            found[i] = known(slot);
        }
        return found;
    }

    private synchronized boolean isKnown(int slot, long generation) {
        return generations[slot] == generation;
    }

    private synchronized void know(int slot, long generation, int checksum) {
        generations[slot] = generation;
        checksums[slot] = checksum;
    }

    /** Of the generation that the caller holds, which no other can take the place of meanwhile. */
    private synchronized int known(int slot) {
        return checksums[slot];
    }
}
