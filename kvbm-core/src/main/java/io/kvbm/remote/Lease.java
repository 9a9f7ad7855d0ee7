package io.kvbm.remote;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.Pin;
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
    record Read(long holder, PinList pins, long deadline, int blockSet) implements Lease {}

    /** Of blocks that are written. */
    final class Write implements Lease {

        final BlockDescriptorList blocks;
        final Writer kind;

        /** Copies of ours into the blocks that are under way. */
        int pulls;

        /** What the writer has begun to write by itself and has not ended. */
        int writes;

        /** Nobody is to begin to write any more. */
        boolean over;

        /** The writer writes no more, by its own word or because it is gone. */
        boolean done;

        private final long holder;
        private final PinList pins;
        private final long deadline;
        private final Map<Integer, Source> sources = new HashMap<>();

        /** Where the bytes come from that are in a block: what is lent by one number does not change. */
        private record Source(long epoch, int blockSet, int slot, long loan) {

            static Source of(PeerRequest.Pull wanted, int i) {
                return new Source(wanted.askerEpoch(), wanted.sourceSet(), wanted.sources()[i], wanted.loans()[i]);
            }
        }

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

        /** Whether this writer may fill blocks of this set. */
        boolean isFor(long writer, int set) {
            return !over && holder == writer && blocks.blockSet() == set;
        }

        /** The pins of these slots; fewer where one is not leased, or named twice. */
        List<Pin> pins(int[] slots) {
            Map<Integer, Pin> bySlot = new HashMap<>();
            pins.forEach(pin -> bySlot.put(pin.id().index(), pin));
            return Arrays.stream(slots).mapToObj(bySlot::remove).filter(Objects::nonNull).toList();
        }

        /** Nothing is known of what is in these slots. */
        void forget(int[] slots) {
            for (int slot : slots) {
                sources.remove(slot);
            }
        }

        /** All bytes that were wanted are there. */
        void filledBy(PeerRequest.Pull wanted) {
            for (int i = 0; i < wanted.targets().length; i++) {
                sources.put(wanted.targets()[i], Source.of(wanted, i));
            }
        }

        /** Whether all bytes that are wanted are there. */
        boolean isFilledBy(PeerRequest.Pull wanted) {
            return IntStream.range(0, wanted.targets().length)
                    .allMatch(i -> Source.of(wanted, i).equals(sources.get(wanted.targets()[i])));
        }

        /** Nothing is written any more, as far as can be known. */
        boolean mayBeFreed() {
            return over && pulls == 0 && (done || !mayBeWritten());
        }

        /** Whether the time is over and the writer may still write by itself. */
        boolean isQuarantined() {
            return over && !done && mayBeWritten();
        }

        private boolean mayBeWritten() {
            return kind == Writer.WRITES || writes > 0;
        }
    }
}
