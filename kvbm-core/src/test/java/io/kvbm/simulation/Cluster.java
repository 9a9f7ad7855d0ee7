package io.kvbm.simulation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import io.kvbm.pool.PoolStats;
import io.kvbm.remote.Blockset;
import io.kvbm.simulation.Totals.What;

/** Who is there: the lives of workers, the catalog that lists them and the network between them. */
final class Cluster implements AutoCloseable {

    private static final int MOST_AT_ONCE = 8;

    /** Most are of one model, a few of another, and some of blocks of another shape. */
    private static final List<String> MODELS = Stream.concat(Stream.generate(() -> "model").limit(12),
            Stream.of("other", "other", "wide")).toList();

    final Network network;

    private final Simulation world;
    private final Catalog catalog;
    private final int blocks;
    private final List<Life> lives = new ArrayList<>();

    Cluster(Simulation world) {
        this.world = world;
        this.network = new Network(world);
        this.catalog = new Catalog(world.random);
        this.blocks = world.random.nextInt(8, 20);
        world.mayHappen(14, "pass", this::pass);
        world.mayHappen(24, "step", () -> anyRunning(this::step));
        world.mayHappen(24, "task", () -> any(life -> life.isRunning() && life.hasTasks(), Life::runTask));
        world.mayHappen(8, "late", network::deliverLate);
        world.mayHappen(10, "advance", () -> anyRunning(this::advance));
        world.mayHappen(8, "deliver", () -> anyRunning(life -> life.manager.events().deliver()));
        world.mayHappen(3, "crash", this::crash);
        world.mayHappen(4, "restart", this::restart);
        world.mayHappen(1, "rival", this::rival);
        world.mayHappen(2, "pause", this::pause);
        world.mayHappen(3, "resume", () -> any(Life::isPaused, Life::resume));
        world.mayHappen(1, "withdraw", this::withdraw);
        world.mayHappen(2, "stop", this::stop);
        world.mayHappen(2, "forget", this::forget);
        world.mayHappen(2, "cut", () -> anyRunning(from -> anyRunning(to -> network.toggle(from.address, to.address))));
        int workers = world.random.nextInt(2, MOST_AT_ONCE + 1);
        for (int i = 0; i < workers; i++) {
            start(1 + i, "host-" + i);
        }
        if (world.chance(0.5)) {
            catalog.register(Stranger.ADDRESS);
        }
    }

    // ---------------------------------------------------------------------------------------------- who

    /** One of the lives that fit; null where none does. */
    @Nullable
    Life any(Predicate<Life> which) {
        return world.any(lives, which);
    }

    /** Has one of the lives that fit, where there is one, do something. */
    void any(Predicate<Life> which, Consumer<Life> deed) {
        Life life = any(which);
        if (life != null) {
            deed.accept(life);
        }
    }

    void anyRunning(Consumer<Life> deed) {
        any(Life::isRunning, deed);
    }

    /** Those whose processes are there. */
    List<Life> there() {
        return lives.stream().filter(Life::isThere).toList();
    }

    /** Whether a worker of this id is there. */
    boolean isThere(long id) {
        return lives.stream().anyMatch(life -> life.id == id && life.isThere());
    }

    /** Whether more than one worker with this id is there. */
    boolean isDisputed(long id) {
        return lives.stream().filter(life -> life.isThere() && life.id == id).count() > 1;
    }

    /** Whether the memory of this life can be mapped, for which its process has to be there. */
    boolean isReachable(Blockset blockset) {
        return lives.stream()
                .noneMatch(life -> life.id == blockset.workerId() && life.epoch == blockset.epoch()
                        && life.isCrashed());
    }

    private long running() {
        return lives.stream().filter(Life::isRunning).count();
    }

    // ---------------------------------------------------------------------------------------------- come and go

    private void start(long id, String address) {
        long epoch = 100_000 + world.now / 1_000_000 + world.random.nextInt(-3000, 3001);
        while (isTaken(id, epoch)) {
            epoch++;
        }
        Life life = new Life(world, network.links(address), id, epoch, address,
                MODELS.get(world.random.nextInt(MODELS.size())), blocks);
        lives.add(life);
        network.listen(address, life);
        catalog.register(address);
    }

    private boolean isTaken(long id, long epoch) {
        return lives.stream().anyMatch(life -> life.id == id && life.epoch == epoch);
    }

    private void crash() {
        if (running() > 1) {
            any(life -> life.isThere() && life.isIdle(), life -> {
                world.totals.add(What.CRASHES, 1);
                life.crash();
                world.byHand.ended(life);
            });
        }
    }

    private void restart() {
        any(life -> !isThere(life.id), life -> {
            world.totals.add(What.RESTARTS, 1);
            start(life.id, world.chance(0.7) && isFree(life.address) ? life.address : "host-" + lives.size());
        });
    }

    private boolean isFree(String address) {
        return lives.stream().noneMatch(life -> life.isThere() && life.address.equals(address));
    }

    /** Two workers with one id: whoever has started them has made a mistake. */
    private void rival() {
        if (there().size() < MOST_AT_ONCE) {
            anyRunning(life -> {
                world.totals.add(What.RIVALS, 1);
                start(life.id, "host-" + lives.size());
            });
        }
    }

    private void pause() {
        if (running() > 1) {
            any(life -> life.isRunning() && life.isIdle(), Life::pause);
        }
    }

    private void withdraw() {
        if (running() > 2) {
            anyRunning(life -> life.manager.withdraw());
        }
    }

    private void stop() {
        any(life -> life.isRunning() && life.isIdle() && life.manager.isWithdrawn(), life -> {
            world.totals.add(What.STOPS, 1);
            catalog.remove(life.address);
            life.stop();
            world.byHand.ended(life);
        });
    }

    /** The catalog finds out that somebody is gone. */
    private void forget() {
        any(life -> isFree(life.address), life -> catalog.remove(life.address));
    }

    // ---------------------------------------------------------------------------------------------- go on

    private void pass() {
        int[] millis = {1, 20, 100, 500, 1000, 2000, 5000, 12_000};
        world.pass(Duration.ofMillis(millis[world.random.nextInt(world.random.nextInt(1, millis.length + 1))]));
    }

    private void step(Life life) {
        if (world.chance(0.5)) {
            life.reconciler.listed(catalog.list(world.faults()));
        }
        life.reconciler.step(life::later);
    }

    private void advance(Life life) {
        life.advance();
        world.byHand.advanced(life);
    }

    /** Ends all faults but those that are for ever. */
    void mend() {
        network.mend();
        lives.stream().filter(Life::isPaused).forEach(Life::resume);
    }

    /** Lets everybody do what is due, second by second. */
    void settle(int seconds) {
        for (int i = 0; i < seconds; i++) {
            world.pass(Duration.ofSeconds(1));
            for (Life life : there()) {
                life.manager.events().deliver();
                while (life.hasTasks()) {
                    life.runTask();
                }
                life.reconciler.listed(catalog.list(world.faults()));
                life.reconciler.step(life::busyWith);
                advance(life);
            }
            world.audit();
        }
    }

    // ---------------------------------------------------------------------------------------------- what has to hold

    void audit() {
        for (Life life : there()) {
            life.audit();
            auditSlots(life);
        }
    }

    /** No block is written while it has another use, and all that are not available are in use. */
    private void auditSlots(Life life) {
        List<Integer> shared = new ArrayList<>();
        List<Integer> exclusive = new ArrayList<>();
        life.slots(shared, exclusive);
        world.byHand.slots(life, exclusive);
        Set<Integer> used = new HashSet<>(exclusive);
        Violation.unless(used.size() == exclusive.size(), "S2: a block of %s has two uses: %s", life, exclusive);
        for (int slot : shared) {
            Violation.unless(!exclusive.contains(slot), "S2: slot %d of %s is read and written", slot, life);
        }
        used.addAll(shared);
        PoolStats stats = life.pool().stats();
        int taken = stats.total() - stats.available();
        Violation.unless(taken >= used.size(), "S2: of %d blocks of %s that are in use only %d are taken: %s",
                used.size(), life, taken, stats);
        Violation.unless(taken <= used.size(), "L1: of %d blocks of %s that are taken only %d are in use: %s", taken,
                life, used.size(), stats);
    }

    @Override
    public void close() {
        lives.forEach(Life::stop);
    }
}
