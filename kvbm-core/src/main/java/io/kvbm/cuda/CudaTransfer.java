package io.kvbm.cuda;

import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.CudaException;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferHold;

/**
 * A transfer from its caller's wish to its end: carried by the thread of a lane, awaited by the caller, who may give it
 * up. Its blocks are held until nothing moves them any more, whoever waits.
 */
final class CudaTransfer implements Runnable {

    private enum Phase {
        WAITING, CALLED_OFF, UNDER_WAY, OVER
    }

    private final CudaDevice device;
    private final Lane lane;
    private final Mover mover;
    private final List<Pieces> pieces;
    private final int blocks;
    private final TransferHold hold;
    private final Thread caller = Thread.currentThread();
    private final AtomicReference<Phase> phase = new AtomicReference<>(Phase.WAITING);
    private boolean abandoned;
    private volatile @Nullable RuntimeException failure;

    /** A transfer of the calling thread; the hold becomes its own. */
    CudaTransfer(CudaDevice device, Lane lane, Mover mover, List<Pieces> pieces, int blocks, TransferHold hold) {
        this.device = device;
        this.lane = lane;
        this.mover = mover;
        this.pieces = pieces;
        this.blocks = blocks;
        this.hold = hold;
    }

    /**
     * Returns when the last byte is there.
     *
     * @throws io.kvbm.error.TransferException where the caller may not wait any longer; what is under way then ends
     *         without it
     * @throws CudaException where it failed
     */
    void await(TransferControl control) {
        control.await(() -> phase.get() == Phase.OVER, this::giveUp);
        if (failure != null) {
            throw failure;
        }
    }

    private void giveUp() {
        if (phase.compareAndSet(Phase.WAITING, Phase.CALLED_OFF)) {
            hold.close();
            return;
        }
        synchronized (this) {
            if (phase.get() == Phase.UNDER_WAY && !abandoned) {
                abandoned = true;
                lane.abandoned(blocks);
            }
        }
    }

    /** Called off before it began, as it could not be handed to the lane. */
    void refused() {
        hold.close();
    }

    // ---------------------------------------------------------------------------------------- thread

    @Override
    public void run() {
        if (!phase.compareAndSet(Phase.WAITING, Phase.UNDER_WAY)) {
            return;
        }
        boolean ended = false;
        try {
            device.requireUsable();
            pieces.forEach(mover::move);
            lane.finish();
            ended = true;
        } catch (RuntimeException | Error e) {
            if (e instanceof CudaException cuda) {
                device.failed(cuda);
            }
            failure = e instanceof RuntimeException known ? known : new IllegalStateException(e);
            ended = lane.drain();
        } finally {
            over(ended);
        }
    }

    private synchronized void over(boolean ended) {
        try {
            if (ended) {
                hold.close();
            } else {
                device.quarantine(hold);
            }
        } finally {
            if (abandoned) {
                lane.found(blocks);
            }
            phase.set(Phase.OVER);
            LockSupport.unpark(caller);
        }
    }
}
