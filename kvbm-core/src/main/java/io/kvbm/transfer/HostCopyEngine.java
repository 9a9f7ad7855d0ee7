package io.kvbm.transfer;

import java.lang.foreign.MemorySegment;

import io.kvbm.block.Pin;
import io.kvbm.storage.MemoryCopy;

/** Copies between blocks of host memory with the CPU, whole blocks where both sides are contiguous and ordered alike. */
final class HostCopyEngine implements TransferEngine {

    /** The most bytes copied between two looks at the control. */
    private static final long PIECE_BYTES = 4L << 20;

    @Override
    public boolean supports(TransferStrategy strategy) {
        return strategy == TransferStrategy.MEMCPY;
    }

    @Override
    public void transfer(TransferPlan plan, TransferControl control) {
        Copy copy = new Copy(control);
        for (int i = 0; i < plan.sources().size(); i++) {
            Pin source = plan.sources().get(i);
            Pin destination = plan.destinations().get(i);
            RowOrder order = RowOrder.between(source.layout(), destination.layout());
            if (!order.isKept()) {
                reorder(source, destination, plan, order, copy);
            } else if (plan.allLayers() && source.layout().blockContiguous()
                    && destination.layout().blockContiguous()) {
                copy.run(source.segment(), destination.segment());
            } else {
                copyParts(source, destination, plan, copy);
            }
        }
    }

    private static void copyParts(Pin source, Pin destination, TransferPlan plan, Copy copy) {
        int outerParts = source.layout().outerDim();
        boolean wholeLayers = source.layout().layerContiguous() && destination.layout().layerContiguous();
        for (int layer = plan.firstLayer(); layer < plan.endLayer(); layer++) {
            if (wholeLayers) {
                copy.run(source.layer(layer), destination.layer(layer));
                continue;
            }
            for (int outer = 0; outer < outerParts; outer++) {
                copy.run(source.segment(layer, outer), destination.segment(layer, outer));
            }
        }
    }

    private static void reorder(Pin source, Pin destination, TransferPlan plan, RowOrder order, Copy copy) {
        for (int layer = plan.firstLayer(); layer < plan.endLayer(); layer++) {
            for (int outer = 0; outer < source.layout().outerDim(); outer++) {
                copy.run(source.segment(layer, outer), destination.segment(layer, outer), order);
            }
        }
    }

    /** The copying of one transfer, in pieces that end where the control is looked at. */
    private static final class Copy {

        private final TransferControl control;
        private long left;

        private Copy(TransferControl control) {
            this.control = control;
        }

        private void run(MemorySegment source, MemorySegment destination, RowOrder order) {
            long bytes = order.rowBytes();
            for (int o = 0; o < order.outer(); o++) {
                control.check();
                for (int i = 0; i < order.inner(); i++) {
                    MemoryCopy.copy(source, ((long) o * order.inner() + i) * bytes, destination,
                            ((long) i * order.outer() + o) * bytes, bytes);
                }
            }
        }

        private void run(MemorySegment source, MemorySegment destination) {
            long size = source.byteSize();
            for (long done = 0; done < size;) {
                if (left == 0) {
                    control.check();
                    left = PIECE_BYTES;
                }
                long piece = Math.min(size - done, left);
                MemoryCopy.copy(source, done, destination, done, piece);
                done += piece;
                left -= piece;
            }
        }
    }
}
