package io.kvbm.block;

import java.lang.foreign.MemorySegment;
import java.util.zip.CRC32C;

import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.BlockMemory;

/**
 * CRC32C (RFC 3720, appendix B.4) over the data of a block in host memory: layer by layer, in each layer outer part by
 * outer part, and no padding, so that it does not depend on the layout.
 */
public final class BlockChecksum {

    private BlockChecksum() {}

    /** The checksum of what a pinned block holds now. */
    public static int of(Pin block) {
        BlockLayout layout = block.layout();
        return isOneRun(layout) ? of(block.segment()) : of(layout, block::segment);
    }

    /** The checksum of what a block holds now, whoever may be writing it. */
    public static int of(BlockMemory memory, int block) {
        BlockLayout layout = memory.layout();
        return isOneRun(layout) ? of(memory.block(block))
                : of(layout, (layer, outer) -> memory.part(block, layer, outer));
    }

    private static boolean isOneRun(BlockLayout layout) {
        return layout.blockContiguous() && layout.bytesPerBlock() <= Integer.MAX_VALUE;
    }

    private static int of(MemorySegment whole) {
        CRC32C crc = new CRC32C();
        crc.update(whole.asByteBuffer());
        return (int) crc.getValue();
    }

    private static int of(BlockLayout layout, Parts parts) {
        CRC32C crc = new CRC32C();
        for (int layer = 0; layer < layout.numLayers(); layer++) {
            for (int outer = 0; outer < layout.outerDim(); outer++) {
                crc.update(parts.segment(layer, outer).asByteBuffer());
            }
        }
        return (int) crc.getValue();
    }

    @FunctionalInterface
    private interface Parts {

        MemorySegment segment(int layer, int outer);
    }
}
