package io.kvbm.event;

import java.util.List;
import java.util.OptionalLong;

import io.kvbm.storage.CacheLevel;

/** Something that happened to registered blocks of one level. Hashes are unsigned. */
public sealed interface KvEvent {

    /** Where it happened. */
    CacheLevel level();

    /** The number of blocks it names. */
    int size();

    /**
     * Blocks became findable, all by one call, in the order of that call.
     *
     * @param level where they lie
     * @param blockSize tokens per block
     * @param blocks the blocks
     */
    record Stored(CacheLevel level, int blockSize, List<StoredBlock> blocks) implements KvEvent {

        /** Copies the list. */
        public Stored {
            blocks = List.copyOf(blocks);
        }

        @Override
        public int size() {
            return blocks.size();
        }
    }

    /**
     * Blocks are no longer findable.
     *
     * @param level where they lay
     * @param blocks the blocks, in the order of removal
     */
    record Removed(CacheLevel level, List<RemovedBlock> blocks) implements KvEvent {

        /** Copies the list. */
        public Removed {
            blocks = List.copyOf(blocks);
        }

        @Override
        public int size() {
            return blocks.size();
        }
    }

    /**
     * No block that was findable before is findable any more.
     *
     * @param level the level that was cleared
     */
    record Cleared(CacheLevel level) implements KvEvent {

        @Override
        public int size() {
            return 0;
        }
    }

    /**
     * One block of a {@link Stored} event.
     *
     * @param sequenceHash chained hash up to the end of the block
     * @param tokensHash hash of the block's own tokens
     * @param parentHash sequence hash of the block before it; empty for the first of a sequence
     * @param position index of the block in its sequence; -1 where only the parent's hash is known
     * @param identity first 64 bits of the identity under which the block is found; the sequence hash itself where the
     *        pool keeps 64-bit identities
     * @param slot index of the block in its block set
     * @param generation a number that rises whenever the slot's content goes
     */
    record StoredBlock(long sequenceHash, long tokensHash, OptionalLong parentHash, int position, long identity,
            int slot, long generation) {

        /** The position of a block of which only the parent's hash is known. */
        public static final int UNKNOWN_POSITION = -1;
    }

    /**
     * One block of a {@link Removed} event.
     *
     * @param sequenceHash chained hash up to the end of the block
     * @param slot index of the block in its block set
     */
    record RemovedBlock(long sequenceHash, int slot) {}
}
