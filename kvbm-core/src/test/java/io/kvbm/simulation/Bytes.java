package io.kvbm.simulation;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

import io.kvbm.block.Block;

/** The bytes of blocks, whatever their layout. */
final class Bytes {

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    private Bytes() {}

    static List<MemorySegment> parts(Block block) {
        List<MemorySegment> parts = new ArrayList<>();
        for (int layer = 0; layer < block.layout().numLayers(); layer++) {
            for (int outer = 0; outer < block.layout().outerDim(); outer++) {
                parts.add(block.segment(layer, outer));
            }
        }
        return parts;
    }

    /** Fills a block with a number of its own, so that any two fillings differ everywhere. */
    static void fill(List<MemorySegment> parts, long number) {
        for (MemorySegment part : parts) {
            for (long at = 0; at < part.byteSize(); at += Long.BYTES) {
                part.set(LONG, at, number);
            }
        }
    }

    static boolean areAll(List<MemorySegment> parts, long number) {
        for (MemorySegment part : parts) {
            for (long at = 0; at < part.byteSize(); at += Long.BYTES) {
                if (part.get(LONG, at) != number) {
                    return false;
                }
            }
        }
        return true;
    }

    static List<byte[]> copy(List<MemorySegment> parts) {
        return parts.stream().map(part -> part.toArray(ValueLayout.JAVA_BYTE)).toList();
    }

    static boolean are(List<MemorySegment> parts, List<byte[]> expected) {
        for (int i = 0; i < parts.size(); i++) {
            if (parts.get(i).mismatch(MemorySegment.ofArray(expected.get(i))) >= 0) {
                return false;
            }
        }
        return true;
    }
}
