package io.kvbm;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

import io.kvbm.block.Block;
import io.kvbm.block.MutableBlock;

/** Bytes that follow from a number, and differ for each of a list's blocks, each layer and each outer part. */
final class Filling {

    private Filling() {}

    static void fill(List<MutableBlock> blocks, int seed) {
        for (int i = 0; i < blocks.size(); i++) {
            MutableBlock block = blocks.get(i);
            for (int part = 0; part < parts(block); part++) {
                part(block, part).copyFrom(bytes(block, seed + i, part));
            }
        }
    }

    /** Where the first byte is that is not of this filling; empty where all are. */
    static Optional<String> firstOther(List<? extends Block> blocks, int seed) {
        for (int i = 0; i < blocks.size(); i++) {
            for (int part = 0; part < parts(blocks.get(i)); part++) {
                long at = part(blocks.get(i), part).mismatch(bytes(blocks.get(i), seed + i, part));
                if (at >= 0) {
                    return Optional.of("byte " + at + " of part " + part + " of block " + i);
                }
            }
        }
        return Optional.empty();
    }

    /** Whether the last byte of a list's block is there, so that all of it is where it is copied in order. */
    static boolean hasArrived(List<? extends Block> blocks, int i, int seed) {
        return firstOther(blocks.subList(i, i + 1), seed + i).isEmpty();
    }

    private static int parts(Block block) {
        return block.layout().numLayers() * block.layout().outerDim();
    }

    private static MemorySegment part(Block block, int part) {
        return block.segment(part / block.layout().outerDim(), part % block.layout().outerDim());
    }

    private static MemorySegment bytes(Block block, int seed, int part) {
        byte[] bytes = new byte[(int) block.layout().regionSize()];
        new SplittableRandom(seed * 31L + part).nextBytes(bytes);
        return MemorySegment.ofArray(bytes);
    }
}
