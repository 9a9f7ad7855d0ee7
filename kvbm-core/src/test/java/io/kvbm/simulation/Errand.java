package io.kvbm.simulation;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;

import org.jspecify.annotations.Nullable;

/**
 * Work that may stop between two of its steps, to go on when much else has happened. It runs in a thread of its own, in
 * which nothing runs unless everybody else waits for it.
 */
final class Errand {

    private static final ThreadLocal<Errand> CURRENT = new ThreadLocal<>();

    private final Semaphore turn = new Semaphore(0);
    private final Semaphore stopped = new Semaphore(0);
    private boolean isDone;
    private @Nullable Throwable failure;

    private Errand(Runnable work) {
        Thread.ofVirtual().name("errand").start(() -> {
            CURRENT.set(this);
            turn.acquireUninterruptibly();
            try {
                work.run();
            } catch (Throwable e) {
                failure = e;
            }
            isDone = true;
            stopped.release();
        });
    }

    /** Those of one simulation that are under way. */
    static final class All {

        private final Simulation world;
        private final List<Errand> underWay = new ArrayList<>();
        private boolean ending;

        All(Simulation world) {
            this.world = world;
            world.mayHappen(8, "goOn", this::goOn);
        }

        /** Runs work until it stops for the first time, or to its end. */
        void run(Runnable work) {
            Errand errand = new Errand(work);
            underWay.add(errand);
            goOn(errand);
        }

        private void goOn() {
            Errand errand = world.any(underWay, _ -> CURRENT.get() == null);
            if (errand != null) {
                goOn(errand);
            }
        }

        private void goOn(Errand errand) {
            errand.turn.release();
            errand.stopped.acquireUninterruptibly();
            if (errand.isDone) {
                underWay.remove(errand);
                if (errand.failure != null) {
                    throw new Violation("S4: an errand failed", errand.failure);
                }
            }
        }

        /** Whether this is an errand; then it may have stopped here for a while. */
        boolean mayStop() {
            Errand errand = CURRENT.get();
            if (errand == null) {
                return false;
            }
            if (!ending && world.chance(0.3)) {
                errand.stopped.release();
                errand.turn.acquireUninterruptibly();
            }
            return true;
        }

        /** Has all go on to their end. */
        void end() {
            ending = true;
            while (!underWay.isEmpty()) {
                goOn(underWay.getFirst());
            }
        }
    }
}
