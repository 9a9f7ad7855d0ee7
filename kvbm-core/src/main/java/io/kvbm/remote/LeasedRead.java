package io.kvbm.remote;

import java.util.Arrays;
import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.PinList;
import io.kvbm.error.TransferException;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.TransferControl;

/**
 * One read of blocks that their owner holds. Much is read in parts: while one is on its way, the checksums of the one
 * before are compared.
 */
final class LeasedRead {

    private static final long PART_BYTES = 8 << 20;

    private final RemoteAccess access;
    private final BlockRanges from;
    private final int[] slots;
    private final int[] checksums;
    private final BlockRanges to;
    private final List<? extends BlockHandle> into;
    private final byte[] told;
    private final int each;
    private boolean hasArrived;

    /**
     * Of blocks, pair by pair.
     *
     * @param checksums what each has to have
     * @param told what the owner is told when the last was read
     */
    LeasedRead(RemoteAccess access, BlockRanges from, int[] slots, int[] checksums, BlockRanges to,
            List<? extends BlockHandle> into, byte[] told) {
        this.access = access;
        this.from = from;
        this.slots = slots;
        this.checksums = checksums;
        this.to = to;
        this.into = into;
        this.told = told;
        this.each = (int) Math.max(1, PART_BYTES / from.layout().bytesPerBlock());
    }

    /** Blocks from one place to another, which are being read. */
    private record Part(int start, int end, RemoteAccess.Move move) {}

    /** Reads up to the first block that is not as it should be, or not there in time. */
    ReadResult run(TransferControl control) {
        Part part = start(0);
        @Nullable
        Part next = null;
        try {
            while (true) {
                if (!isInTime(part.move(), control)) {
                    return new ReadResult(part.start(), ReadOutcome.LATE);
                }
                hasArrived = part.end() == slots.length;
                next = hasArrived ? null : start(part.end());
                int good = firstOther(part);
                if (good < part.end()) {
                    return new ReadResult(good, ReadOutcome.CORRUPT);
                }
                if (next == null) {
                    return new ReadResult(slots.length, ReadOutcome.TAKEN);
                }
                part.move().close();
                part = next;
                next = null;
            }
        } finally {
            part.move().close();
            if (next != null) {
                next.move().close();
            }
        }
    }

    private Part start(int at) {
        int end = Math.min(at + each, slots.length);
        RemoteAccess.Move move = access.read(from, Arrays.copyOfRange(slots, at, end), to, into.subList(at, end));
        move.start(end == slots.length ? told : new byte[0], () -> {});
        return new Part(at, end, move);
    }

    private int firstOther(Part part) {
        try (PinList pins = PinList.of(into.subList(part.start(), part.end()))) {
            for (int i = part.start(); i < part.end(); i++) {
                if (BlockChecksum.of(pins.get(i - part.start())) != checksums[i]) {
                    return i;
                }
            }
        }
        return part.end();
    }

    /** Whether all was read, so that the owner is told of it. */
    boolean hasArrived() {
        return hasArrived;
    }

    /** What is said of a time that is over. */
    static TransferException late(TransferControl control) {
        try {
            control.check();
        } catch (TransferException e) {
            return e;
        }
        throw new IllegalStateException("There is time left");
    }

    /** Waits for the end of a move; false where time was over before. */
    static boolean isInTime(RemoteAccess.Move move, TransferControl control) {
        try {
            move.await(control);
            return true;
        } catch (TransferException e) {
            if (control.mayGoOn()) {
                throw e;
            }
            return false;
        }
    }
}
