package io.kvbm.cuda;

import java.lang.foreign.MemorySegment;

import io.kvbm.error.TransferException;
import io.kvbm.transfer.TransferControl;

/**
 * Puts the copies and kernels of one transfer into the stream of a lane, part by part, by the means that suit its
 * pieces. Used by the thread of the lane.
 */
final class Mover {

    /** How many copies are put into the stream between two looks at the control. */
    private static final int MOST_COPIES = 1024;

    private final Lane lane;
    private final Kernels kernels;
    private final CudaTuning tuning;
    private final Crossing crossing;
    private final TransferControl control;
    private int turn;

    Mover(Lane lane, Kernels kernels, CudaTuning tuning, Crossing crossing, TransferControl control) {
        this.lane = lane;
        this.kernels = kernels;
        this.tuning = tuning;
        this.crossing = crossing;
        this.control = control;
    }

    /** Puts a copy into a stream. */
    @FunctionalInterface
    interface Copy {

        void put(long from, long to, long size, Driver.Stream stream);
    }

    /**
     * What lies between source and destination.
     *
     * @param way which way bytes go
     * @param copy how a run of bytes is copied
     */
    record Crossing(Way way, Copy copy) {}

    /** Which way bytes go. */
    enum Way {
        /** From host memory that is not page-locked. */
        UP_FROM_PAGEABLE,
        /** From page-locked host memory. */
        UP,
        /** To page-locked host memory. */
        DOWN,
        /** To host memory that is not page-locked. */
        DOWN_TO_PAGEABLE,
        /** Within one GPU. */
        WITHIN,
        /** From one GPU to another. */
        ACROSS
    }

    void move(Pieces pieces) {
        switch (crossing.way()) {
            case UP_FROM_PAGEABLE -> pieces.split(Stage.BYTES).forEach(this::packUp);
            case DOWN_TO_PAGEABLE -> pieces.split(Stage.BYTES).forEach(this::unpackDown);
            case UP -> moveUp(pieces);
            case DOWN -> moveDown(pieces);
            case WITHIN -> moveDirectly(pieces);
            case ACROSS -> moveAcross(pieces);
        }
    }

    private void moveUp(Pieces pieces) {
        if (!isForGathering(pieces, pieces.sourceRunBytes())) {
            moveDirectly(pieces);
            return;
        }
        inParts(pieces, mostGathered(pieces), (part, stage) -> {
            copy(pieces.intoRun(part.first, part.end, stage.device()).inOrder());
            launch(pieces.fromRun(part.first, part.end, stage.device()), stage);
        });
    }

    private void moveDown(Pieces pieces) {
        if (isForGathering(pieces, pieces.destinationRunBytes())) {
            gatherAndCopy(pieces);
        } else {
            moveDirectly(pieces);
        }
    }

    /** A copy between GPUs keeps the order of rows, so that a change of it is made before, on the first of them. */
    private void moveAcross(Pieces pieces) {
        if (pieces.order().isKept()) {
            copyInParts(pieces);
        } else {
            requireGatherable(pieces);
            gatherAndCopy(pieces);
        }
    }

    private void gatherAndCopy(Pieces pieces) {
        inParts(pieces, mostGathered(pieces), (part, stage) -> {
            launch(pieces.intoRun(part.first, part.end, stage.device()), stage);
            copy(pieces.fromRun(part.first, part.end, stage.device()).inOrder());
        });
    }

    private void moveDirectly(Pieces pieces) {
        if (isForCopies(pieces)) {
            copyInParts(pieces);
        } else {
            inParts(pieces, Stage.MOST_PIECES, (part, stage) -> launch(pieces.part(part.first, part.end), stage));
        }
    }

    private void copyInParts(Pieces pieces) {
        inParts(pieces, MOST_COPIES, (part, stage) -> copy(pieces.part(part.first, part.end)));
    }

    private void packUp(Pieces pieces) {
        requireGatherable(pieces);
        inParts(pieces, mostGathered(pieces), (part, stage) -> {
            for (int n = part.first; n < part.end; n++) {
                copyWithCpu(pieces.source(n), part.at(n, pieces, stage), pieces.bytes());
            }
            copyOrLaunch(pieces, pieces.fromRun(part.first, part.end, stage.host()), stage);
        });
    }

    private void unpackDown(Pieces pieces) {
        requireGatherable(pieces);
        inParts(pieces, mostGathered(pieces),
                (part, stage) -> copyOrLaunch(pieces, pieces.intoRun(part.first, part.end, stage.host()), stage),
                (part, stage) -> {
                    for (int n = part.first; n < part.end; n++) {
                        copyWithCpu(part.at(n, pieces, stage), pieces.destination(n), pieces.bytes());
                    }
                });
    }

    // ---------------------------------------------------------------------------------------- parts

    private record Part(int first, int end) {

        /** Where the piece is in the host memory of a stage. */
        long at(int piece, Pieces pieces, Stage stage) {
            return stage.host() + (piece - first) * pieces.bytes();
        }
    }

    /** What is done with a part by means of a stage. */
    @FunctionalInterface
    private interface Step {

        void with(Part part, Stage stage);
    }

    private void inParts(Pieces pieces, int most, Step step) {
        inParts(pieces, most, step, (_, _) -> {});
    }

    /** Lets each part have a stage that is free; {@code then} comes when the GPU has done what {@code step} wants. */
    private void inParts(Pieces pieces, int most, Step step, Step then) {
        for (int first = 0; first < pieces.count(); first += most) {
            control.check();
            Part part = new Part(first, Math.min(pieces.count(), first + most));
            Stage stage = lane.freeStage(turn++);
            step.with(part, stage);
            stage.record(lane.stream(), () -> then.with(part, stage));
        }
    }

    private void copyOrLaunch(Pieces pieces, Pieces packed, Stage stage) {
        if (isForCopies(pieces)) {
            copy(packed);
        } else {
            launch(packed, stage);
        }
    }

    private boolean isForCopies(Pieces pieces) {
        return pieces.order().isKept() && (pieces.bytes() >= tuning.copiesFrom() || pieces.count() == 1);
    }

    private boolean isForGathering(Pieces pieces, long hostRunBytes) {
        return !isForCopies(pieces) && hostRunBytes >= tuning.stagedFrom() && fits(pieces) && lane.canGather();
    }

    private static boolean fits(Pieces pieces) {
        return pieces.bytes() <= Stage.BYTES;
    }

    private static void requireGatherable(Pieces pieces) {
        if (!fits(pieces)) {
            throw new TransferException(TransferException.Kind.INCOMPATIBLE_TYPES, "A region of " + pieces.bytes()
                    + " bytes changes its order of heads on its way, over the limit of " + Stage.BYTES
                    + "; give both levels the same order, or page-lock the host memory");
        }
    }

    private static int mostGathered(Pieces pieces) {
        return (int) Math.min(Stage.MOST_PIECES, Stage.BYTES / pieces.bytes());
    }

    private void launch(Pieces pieces, Stage stage) {
        long list = stage.list(pieces);
        kernels.move(pieces, list, lane.stream());
    }

    private void copy(Pieces pieces) {
        for (int n = 0; n < pieces.count();) {
            int run = pieces.runLength(n);
            crossing.copy().put(pieces.source(n), pieces.destination(n), run * pieces.bytes(), lane.stream());
            n += run;
        }
    }

    /** The blocks are held, so that their memory is there. */
    @SuppressWarnings("restricted")
    private static void copyWithCpu(long from, long to, long size) {
        MemorySegment.copy(MemorySegment.ofAddress(from).reinterpret(size), 0,
                MemorySegment.ofAddress(to).reinterpret(size), 0, size);
    }
}
