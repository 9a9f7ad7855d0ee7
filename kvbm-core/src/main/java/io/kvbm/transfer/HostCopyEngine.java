package io.kvbm.transfer;

import java.lang.foreign.MemorySegment;

import io.kvbm.block.Pin;

/** Copies between blocks of host memory with the CPU, whole blocks where both sides are contiguous. */
final class HostCopyEngine implements TransferEngine {

    /** The most bytes copied between two looks at the control. */
    private static final long PIECE_BYTES = 4L << 20;

    @Override
    public boolean supports(TransferStrategy strategy) {
        return strategy == TransferStrategy.MEMCPY;
    }

    @Override
    public void transfer(TransferPlan plan, TransferControl control) {
        long sinceCheck = PIECE_BYTES;
        for (int i = 0; i < plan.sources().size(); i++) {
            if (sinceCheck >= PIECE_BYTES) {
                control.check();
                sinceCheck = 0;
            }
            Pin source = plan.sources().get(i);
            Pin destination = plan.destinations().get(i);
            sinceCheck += source.layout().bytesPerBlock();
            if (plan.allLayers() && source.layout().blockContiguous() && destination.layout().blockContiguous()) {
                copy(source.segment(), destination.segment(), control);
            } else {
                copyParts(source, destination, plan, control);
            }
        }
    }

    private static void copyParts(Pin source, Pin destination, TransferPlan plan, TransferControl control) {
        int outerParts = source.layout().outerDim();
        for (int layer = plan.firstLayer(); layer < plan.endLayer(); layer++) {
            for (int outer = 0; outer < outerParts; outer++) {
                copy(source.segment(layer, outer), destination.segment(layer, outer), control);
            }
        }
    }

    private static void copy(MemorySegment source, MemorySegment destination, TransferControl control) {
        long size = source.byteSize();
        long done = Math.min(size, PIECE_BYTES);
        MemorySegment.copy(source, 0, destination, 0, done);
        while (done < size) {
            control.check();
            long piece = Math.min(size - done, PIECE_BYTES);
            MemorySegment.copy(source, done, destination, done, piece);
            done += piece;
        }
    }
}
