package io.kvbm.remote;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.PinList;

/** Blocks that are pinned for another worker. Guarded by {@link Leases}. */
sealed interface Lease {

    /** For whom. */
    long holder();

    /** What keeps the blocks. */
    PinList pins();

    /** When it ends, by the clock. */
    long deadline();

    /** Of blocks that are read from the outside. */
    record Read(long holder, PinList pins, long deadline) implements Lease {}

    /** Of blocks that are written. */
    final class Write implements Lease {

        final BlockDescriptorList blocks;
        final Writer kind;

        /** Copies of ours into the blocks that are under way. */
        int pulls;

        /** Nobody is to begin to write any more. */
        boolean over;

        /** The writer writes no more, by its own word or because it is gone. */
        boolean done;

        private final long holder;
        private final PinList pins;
        private final long deadline;

        Write(long holder, PinList pins, long deadline, BlockDescriptorList blocks, Writer kind) {
            this.holder = holder;
            this.pins = pins;
            this.deadline = deadline;
            this.blocks = blocks;
            this.kind = kind;
        }

        @Override
        public long holder() {
            return holder;
        }

        @Override
        public PinList pins() {
            return pins;
        }

        @Override
        public long deadline() {
            return deadline;
        }

        /** Nothing is written any more, as far as can be known. */
        boolean mayBeFreed() {
            return over && pulls == 0 && (done || kind == Writer.ASKS);
        }

        boolean isQuarantined() {
            return over && !done && kind == Writer.WRITES;
        }
    }
}
