package io.kvbm.spring.boot.discovery;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;

import io.kvbm.KvBlockManager;
import io.kvbm.KvSequence;
import io.kvbm.block.Block;
import io.kvbm.spring.boot.SmallCache;

/**
 * K/V that follows from the model and all tokens up to its block's end, byte by byte, in whichever process it is computed:
 * so whatever is found of a prompt can be checked, and is never right by chance.
 */
final class KnownKv {

    private static final int VOCABULARY = 150_000;

    private KnownKv() {}

    /** The tokens of a prompt, which follow from its number. */
    static int[] prompt(int number, int length) {
        return new Random(number).ints(length, 0, VOCABULARY).toArray();
    }

    /** Answers a prompt as an engine does: checks what was found of it, computes the rest, and says how much was found. */
    static int answer(KvBlockManager manager, int[] tokens) {
        try (KvSequence sequence = manager.open(tokens, "")) {
            int found = check(manager, sequence, tokens);
            List<? extends Block> blocks = sequence.blocks();
            for (int i = found; i < blocks.size(); i++) {
                blocks.get(i).segment().copyFrom(kv(manager, tokens, i, blocks.get(i).segment().byteSize()));
            }
            sequence.computed(tokens.length);
            return sequence.reusedTokens();
        }
    }

    /** Opens a prompt, checks what was found of it, computes nothing, and says how much was found. */
    static int found(KvBlockManager manager, int[] tokens) {
        try (KvSequence sequence = manager.open(tokens, "")) {
            check(manager, sequence, tokens);
            return sequence.reusedTokens();
        }
    }

    private static int check(KvBlockManager manager, KvSequence sequence, int[] tokens) {
        int found = sequence.reusedTokens() / SmallCache.PAGE_SIZE;
        for (int i = 0; i < found; i++) {
            MemorySegment block = sequence.blocks().get(i).segment();
            long wrong = block.mismatch(kv(manager, tokens, i, block.byteSize()));
            if (wrong >= 0) {
                throw new AssertionError(
                        "Block " + i + " of " + found + " that were found has a wrong byte at " + wrong);
            }
        }
        return found;
    }

    private static MemorySegment kv(KvBlockManager manager, int[] tokens, int block, long bytes) {
        int end = Math.min(tokens.length, (block + 1) * SmallCache.PAGE_SIZE);
        long seed = manager.fingerprint().toString().hashCode();
        for (int i = 0; i < end; i++) {
            seed = 31 * seed + tokens[i];
        }
        byte[] kv = new byte[Math.toIntExact(bytes)];
        new SplittableRandom(seed).nextBytes(kv);
        return MemorySegment.ofArray(kv);
    }
}
