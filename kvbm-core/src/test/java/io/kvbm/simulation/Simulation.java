package io.kvbm.simulation;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Predicate;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.KvbmException;
import io.kvbm.remote.Blockset;
import io.kvbm.simulation.Totals.What;

/**
 * Some workers in one thread, each a whole manager with its reconciler, whose clocks, catalog, network and faults come
 * from one seed. Workers crash, pause, come back under their ids, and leave; questions are lost, late, doubled and in
 * another order; the catalog is stale or empty; anything may happen between two steps of a read and while an answer is
 * waited for.
 *
 * <p>
 * After every event, what is open holds the right bytes (S1, S3), no block has two uses (S2), nothing that came from
 * outside has done more than to be refused (S4), and every block that is not available is held by somebody (L1). At the
 * end the faults stop: then everybody knows everybody, nothing is held, and what one has computed all others find (L3).
 *
 * <pre>
 *   Simulation   time, chance, one event after another, what has happened
 *     Cluster    who is there: lives, their catalog and network
 *     Requests   sequences that are opened and computed
 *     ByHand     blocks that workers tell each other of, lease, put and get
 *     Errand      a copy for somebody who does not wait for its end
 *     Recovery   what has to be true once the faults have stopped
 * </pre>
 */
final class Simulation {

    private static final int EVENTS = 150;
    private static final int TRACE = 60;

    final SplittableRandom random;
    final Totals totals = new Totals();
    final Errand.All errands;
    final Cluster cluster;
    final Requests requests;
    final ByHand byHand;

    /** Nanoseconds since the start. */
    long now = 1;

    private final Faults faults;
    private final List<Deed> deeds = new ArrayList<>();
    private final Deque<String> trace = new ArrayDeque<>();
    private int weights;
    private boolean calm = true;
    private int depth;
    private long next = 1;
    private long hash;

    /** Something that happens, and how often. */
    private record Deed(int weight, String name, Runnable run) {}

    private Simulation(long seed) {
        this.random = new SplittableRandom(seed);
        this.faults = Faults.random(random);
        this.errands = new Errand.All(this);
        this.cluster = new Cluster(this);
        this.requests = new Requests(this);
        this.byHand = new ByHand(this);
    }

    /** Has something happen as often, among all that may, as its weight says. */
    void mayHappen(int weight, String name, Runnable run) {
        deeds.add(new Deed(weight, name, run));
        weights += weight;
    }

    /** Runs to the end and returns what has happened, or throws a {@link Violation}. */
    static Totals run(long seed) {
        Simulation simulation = new Simulation(seed);
        try {
            simulation.run();
            return simulation.totals;
        } catch (Violation | RuntimeException e) {
            throw new Violation("Seed " + seed + ": " + e.getMessage() + "\n  after "
                    + String.join(" ", simulation.trace), e);
        } finally {
            simulation.close();
        }
    }

    /** A number that tells two runs apart in which anything differs. */
    static long hash(long seed) {
        Simulation simulation = new Simulation(seed);
        try {
            simulation.run();
            return simulation.hash;
        } finally {
            simulation.close();
        }
    }

    private void close() {
        errands.end();
        cluster.close();
    }

    private void run() {
        cluster.settle(5);
        calm = false;
        for (int i = 0; i < EVENTS; i++) {
            event();
            audit();
        }
        errands.end();
        calm = true;
        note("calm");
        new Recovery(this).run();
    }

    void audit() {
        byHand.audit();
        cluster.audit();
    }

    // ---------------------------------------------------------------------------------------------- events

    private void event() {
        int at = random.nextInt(weights);
        int i = 0;
        while (at >= deeds.get(i).weight()) {
            at -= deeds.get(i).weight();
            i++;
        }
        totals.add(What.EVENTS, 1);
        note(deeds.get(i).name());
        deeds.get(i).run().run();
    }

    private void note(String what) {
        trace.add(what);
        if (trace.size() > TRACE) {
            trace.remove();
        }
        hash = hash * 31 + what.hashCode() + now;
    }

    /** What others do while one is in the middle of something. */
    void meanwhile() {
        if (depth < 2 && !calm && random.nextInt(4) == 0) {
            depth++;
            try {
                note("(");
                for (int i = random.nextInt(3); i >= 0; i--) {
                    event();
                }
                note(")");
            } finally {
                depth--;
            }
        }
    }

    /** What happens between two steps of a read: above all that the owner reuses what is read. */
    void meanwhileReading(Blockset blockset) {
        if (errands.mayStop()) {
            return;
        }
        meanwhile();
        if (depth < 2 && !calm && random.nextInt(8) == 0) {
            note("~");
            cluster.any(life -> life.isRunning() && life.id == blockset.workerId(), requests::churn);
        }
    }

    Faults faults() {
        return calm ? Faults.NONE : faults;
    }

    void pass(Duration time) {
        now += time.toNanos();
    }

    boolean chance(double of) {
        return random.nextDouble() < of;
    }

    /** A number that nothing else has. */
    long unique() {
        return next++;
    }

    /** One of those that fit; null where none does. */
    <T> @Nullable T any(List<T> of, Predicate<T> which) {
        List<T> fitting = of.stream().filter(which).toList();
        return fitting.isEmpty() ? null : fitting.get(random.nextInt(fitting.size()));
    }

    /** A worker may refuse, but fails in no other way; what is refused costs nothing but the attempt. */
    boolean attempt(Life life, Runnable work) {
        try {
            life.busyWith(work);
            return true;
        } catch (KvbmException e) {
            totals.add(What.REFUSALS, 1);
            note("!");
            return false;
        } catch (RuntimeException e) {
            throw new Violation("S4: " + life + " failed", e);
        }
    }
}
