package io.kvbm.nixl;

import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.PinList;
import io.kvbm.error.ClosedException;
import io.kvbm.error.KvbmException;
import io.kvbm.error.NixlException;
import io.kvbm.transfer.TransferControl;

/**
 * One transfer of an initiator, and the blocks of this worker that it moves. All calls of NIXL are its thread's: one that
 * only starts a transfer may move the bytes of others as long as any come. Who waits for the transfer waits for nothing
 * but that thread, and no longer than it may. The blocks stay pinned until NIXL says that all bytes were moved; where it
 * says anything else, until the initiator is gone.
 */
final class Flight {

    private enum Phase {
        WAITING, PREPARING, STARTED, OVER, CALLED_OFF
    }

    private final Initiator initiator;
    private final Supplier<Connection.Prepared> prepare;
    private final PinList pins;
    private final byte[] message;
    private final Runnable unmoved;
    private final Runnable ended;
    private final Thread caller = Thread.currentThread();
    private final AtomicReference<Phase> phase = new AtomicReference<>(Phase.WAITING);
    private Connection.@Nullable Prepared prepared;
    private @Nullable KvbmException failure;
    private boolean isAbandoned;

    /**
     * A transfer that has not begun.
     *
     * @param prepare what is to be posted; called in the initiator's thread
     * @param message what the other agent is told when all bytes were moved; empty for nothing
     * @param unmoved is told where it is over and nothing was moved nor will be
     * @param ended is told when it is over
     */
    Flight(Initiator initiator, Supplier<Connection.Prepared> prepare, PinList pins, byte[] message, Runnable unmoved,
            Runnable ended) {
        this.initiator = initiator;
        this.prepare = prepare;
        this.pins = pins;
        this.message = message;
        this.unmoved = unmoved;
        this.ended = ended;
    }

    // ---------------------------------------------------------------------------------------- caller

    /**
     * Returns when all bytes were moved.
     *
     * @throws NixlException where it failed
     * @throws ClosedException where it was closed meanwhile
     * @throws io.kvbm.error.TransferException where the caller may not wait any longer; it goes on where it has begun
     */
    void await(TransferControl control) {
        control.await(() -> phase.get() == Phase.OVER, this::giveUp);
        if (failure != null) {
            throw failure;
        }
    }

    /** Waits no more: what has not begun will not, and what has goes on. */
    void giveUp() {
        if (phase.compareAndSet(Phase.WAITING, Phase.CALLED_OFF)
                || phase.compareAndSet(Phase.PREPARING, Phase.CALLED_OFF)) {
            try {
                pins.close();
            } finally {
                unmoved.run();
                ended.run();
            }
        } else {
            abandon();
        }
    }

    private synchronized void abandon() {
        if (phase.get() == Phase.STARTED && !isAbandoned) {
            isAbandoned = true;
            initiator.abandoned(pins.size());
        }
    }

    // ---------------------------------------------------------------------------------------- thread

    /** Whether it is under way afterwards. */
    boolean start() {
        if (!phase.compareAndSet(Phase.WAITING, Phase.PREPARING)) {
            return false;
        }
        Connection.Prepared ready;
        try {
            ready = prepare.get();
        } catch (KvbmException e) {
            failUnmoved(e);
            return false;
        } catch (RuntimeException | Error e) {
            failUnmoved(new NixlException(NixlException.Kind.BACKEND_FAILED, "nixl_capi_make_xfer_req", null,
                    "A transfer could not be prepared: " + e));
            throw e;
        }
        // the first lists of much memory take longer than a caller may wait; who comes next finds them
        if (!phase.compareAndSet(Phase.PREPARING, Phase.STARTED)) {
            ready.giveBack();
            return false;
        }
        prepared = ready;
        return post(ready.pooled().request());
    }

    private void failUnmoved(KvbmException why) {
        if (phase.compareAndSet(Phase.PREPARING, Phase.STARTED)) {
            fail(why);
        }
    }

    private boolean post(NixlRequest request) {
        try {
            if ((message.length == 0 ? request.post() : request.post(message)) == NixlRequest.State.ACTIVE) {
                return true;
            }
            done();
        } catch (KvbmException e) {
            fail(e);
        } catch (RuntimeException | Error e) {
            fail(new NixlException(NixlException.Kind.BACKEND_FAILED, "nixl_capi_post_xfer_req", null,
                    "A transfer failed to start: " + e));
            throw e;
        }
        return false;
    }

    /** Brings it to its end where it has one; false while it is under way. */
    boolean look() {
        try {
            if (prepared != null && prepared.pooled().request().state() == NixlRequest.State.ACTIVE) {
                return false;
            }
            done();
        } catch (NixlException | ClosedException e) {
            fail(e);
        }
        return true;
    }

    private void done() {
        try {
            if (prepared != null) {
                prepared.giveBack();
            }
        } finally {
            over(pins::close);
        }
    }

    /**
     * Ends it without knowing: one of its ranges has failed, or a transfer beside it, which ends the connection, and
     * NIXL says nothing more of the others.
     */
    private void fail(KvbmException why) {
        if (phase.get() == Phase.OVER) {
            return; // it has ended, and giving its request back has failed
        }
        failure = why;
        boolean inDoubt = false;
        if (prepared != null) {
            NixlRequest request = prepared.pooled().request();
            inDoubt = request.isInDoubt();
            try {
                request.cancel();
            } catch (NixlException e) {
                why.addSuppressed(e);
            }
        }
        try {
            over(inDoubt ? () -> initiator.hold(pins) : pins::close);
        } finally {
            if (!inDoubt) {
                unmoved.run();
            }
        }
    }

    private synchronized void over(Runnable letGo) {
        try {
            letGo.run();
        } finally {
            if (isAbandoned) {
                initiator.found(pins.size());
            }
            phase.set(Phase.OVER);
            LockSupport.unpark(caller);
            ended.run();
        }
    }
}
