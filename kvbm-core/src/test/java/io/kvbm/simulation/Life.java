package io.kvbm.simulation;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.KvSequence;
import io.kvbm.ToyModel;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.event.EventDelivery;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.ChecksumMode;
import io.kvbm.remote.LeaseLimits;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLimits;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerLinks;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.Peering;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.remote.SharingLimits;
import io.kvbm.remote.WatchedMemories;
import io.kvbm.storage.HostAllocator;

/** A worker from its start to its end: a whole manager, with its reconciler, and what it has open. */
final class Life {

    private static final SharingLimits LIMITS = new SharingLimits(
            new PeerLimits(16, 64, 3, Duration.ofSeconds(10), Duration.ofSeconds(2), Duration.ofSeconds(8),
                    Duration.ofSeconds(1)),
            new LeaseLimits(8, 16, Duration.ofSeconds(20), 75, 25), 32, 512);
    private static final ReconcilerSettings SETTINGS = new ReconcilerSettings(32, Duration.ofSeconds(1),
            Duration.ofMillis(250), Duration.ofSeconds(4), Duration.ofSeconds(8), Duration.ofSeconds(12), 4);

    final long id;
    final long epoch;
    final String address;
    final String model;
    final KvBlockManager manager;
    final Peering peering;
    final Reconciler reconciler;
    final List<Open> sequences = new ArrayList<>();
    final List<Reading> readings = new ArrayList<>();
    final List<BlockList<MutableBlock>> granted = new ArrayList<>();
    final PeerLinks links;

    private final List<Runnable> tasks = new ArrayList<>();
    private final Simulation world;
    private final long offset;
    private final int drift;
    private State state = State.RUNNING;
    private int frames;

    private enum State {
        RUNNING, PAUSED, CRASHED, STOPPED
    }

    /**
     * A sequence that is open.
     *
     * @param sequence it
     * @param tenant whose it is
     * @param tokens its tokens
     */
    record Open(KvSequence sequence, String tenant, List<Integer> tokens) {

        /** The blocks that are registered. */
        List<ImmutableBlock> shared() {
            return sequence.blocks()
                    .subList(0, sequence.sharedBlocks())
                    .stream()
                    .map(ImmutableBlock.class::cast)
                    .toList();
        }
    }

    /**
     * A lease to read that this worker has given.
     *
     * @param holder to whom
     * @param number its number
     * @param slots of which slots
     * @param memory where they lie
     * @param bytes what was there
     * @param deadline when it ends, by this worker's clock
     */
    record Reading(long holder, long number, List<Integer> slots, List<List<MemorySegment>> memory,
            List<List<byte[]>> bytes, long deadline) {}

    Life(Simulation world, PeerLinks links, long id, long epoch, String address, String model, int blocks) {
        this.world = world;
        this.links = question(links);
        this.id = id;
        this.epoch = epoch;
        this.address = address;
        this.model = model;
        this.offset = world.random.nextLong();
        this.drift = world.random.nextInt(-5, 6);
        LayoutType layout = world.random.nextBoolean() ? LayoutType.FULLY_CONTIGUOUS : LayoutType.LAYER_SEPARATE;
        this.manager = new KvBlockManager(KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(id).epoch(epoch).build())
                .model(ToyModel.named(model, isWide() ? 16 : 8))
                .hostLayout(KvManagerLayoutConfig.builder()
                        .numBlocks(blocks)
                        .layoutType(layout)
                        .allocator(HostAllocator.builder().name("kvbm-simulation").hugePages(false).build())
                        .build())
                .eventCapacity(16)
                .eventDelivery(EventDelivery.BY_HAND)
                .clock(this::nanoTime)
                .sharing(KvManagerSharingConfig.builder()
                        .checksums(ChecksumMode.SAMPLED)
                        .limits(LIMITS)
                        .memories(blockset -> world.cluster.isReachable(blockset) ? WatchedMemories
                                .of(ChecksumMode.SAMPLED, () -> busyWith(() -> world.meanwhileReading(blockset)))
                                .open(blockset) : Optional.empty())
                        .random(world.random.split())
                        .build())
                .build());
        this.peering = manager.peering().orElseThrow();
        this.reconciler = peering.reconciler(this.links, SETTINGS);
        peering.desk().listen((worker, text) -> world.byHand.notified(this, text));
    }

    /** This worker's clock, which is up to five percent too fast or too slow. */
    long nanoTime() {
        return offset + world.now + world.now / 100 * drift;
    }

    /** Whether its blocks are of another shape than those of most others. */
    boolean isWide() {
        return model.equals("wide");
    }

    BlockPool pool() {
        return manager.host().orElseThrow();
    }

    // ---------------------------------------------------------------------------------------------- state

    /** Whether the process is there, paused or not. */
    boolean isThere() {
        return state == State.RUNNING || state == State.PAUSED;
    }

    boolean isPaused() {
        return state == State.PAUSED;
    }

    boolean isRunning() {
        return state == State.RUNNING;
    }

    boolean isCrashed() {
        return state == State.CRASHED;
    }

    /** Whether nothing of it is in the middle of something. */
    boolean isIdle() {
        return frames == 0;
    }

    void pause() {
        state = State.PAUSED;
    }

    void resume() {
        state = State.RUNNING;
    }

    /** Ends at once: nothing is closed, and nobody is told. */
    void crash() {
        state = State.CRASHED;
        tasks.clear();
    }

    /** Closes everything and ends; a crashed one, whose memory is not needed any more, too. */
    void stop() {
        if (state != State.STOPPED) {
            state = State.STOPPED;
            closeSequences();
            granted.forEach(BlockList::close);
            readings.clear();
            tasks.clear();
            manager.close();
        }
    }

    // ---------------------------------------------------------------------------------------------- work

    <T> T busyWith(Supplier<T> work) {
        frames++;
        try {
            return work.get();
        } finally {
            frames--;
        }
    }

    void busyWith(Runnable work) {
        frames++;
        try {
            work.run();
        } finally {
            frames--;
        }
    }

    /** Whoever asks is busy until it is answered. */
    private PeerLinks question(PeerLinks plain) {
        return address -> {
            PeerLink link = plain.to(address);
            return request -> busyWith(() -> link.ask(request));
        };
    }

    boolean hasTasks() {
        return !tasks.isEmpty();
    }

    /** Takes a task, to be run some time. */
    void later(Runnable task) {
        tasks.add(task);
    }

    /** Runs a task, not always the first. */
    void runTask() {
        Runnable task = tasks.remove(world.random.nextInt(tasks.size()));
        busyWith(task);
    }

    boolean hasShared() {
        return sequences.stream().anyMatch(open -> open.sequence().sharedBlocks() > 0);
    }

    void closeSequences() {
        sequences.forEach(open -> open.sequence().close());
        sequences.clear();
    }

    /** Answers a question, and keeps a book of its own of what the answer has changed. */
    PeerAnswer answer(PeerRequest request) {
        world.byHand.pulling(this, request, 1);
        PeerAnswer answer = peering.desk().ask(request);
        world.byHand.pulling(this, request, -1);
        if (request instanceof PeerRequest.Lease wanted && answer instanceof PeerAnswer.Leased leased
                && leased.lease() != 0) {
            note(wanted, leased);
        }
        if (request instanceof PeerRequest.EndLease ended && answer instanceof PeerAnswer.Done) {
            readings.removeIf(reading -> reading.holder() == ended.asker() && reading.number() == ended.lease());
            world.byHand.ended(this, ended.asker(), ended.lease());
        }
        return answer;
    }

    private void note(PeerRequest.Lease wanted, PeerAnswer.Leased leased) {
        List<Integer> slots = new ArrayList<>();
        List<List<MemorySegment>> memory = new ArrayList<>();
        int held = leased.checksums().length;
        int[] first = Arrays.copyOf(wanted.slots(), held);
        long[] generations = Arrays.copyOf(wanted.generations(), held);
        try (var blocks = pool().holdSlots(first, generations)) {
            Violation.unless(blocks.size() == held, "%s has leased %d blocks of which it holds %d", this, held,
                    blocks.size());
            for (ImmutableBlock block : blocks) {
                slots.add(block.index());
                memory.add(Bytes.parts(block));
            }
        }
        readings.add(new Reading(wanted.asker(), leased.lease(), slots, memory,
                memory.stream().map(Bytes::copy).toList(), nanoTime() + leased.time().toNanos()));
    }

    void advance() {
        peering.advance();
        readings.removeIf(reading -> nanoTime() - reading.deadline() >= 0);
    }

    // ---------------------------------------------------------------------------------------------- what has to hold

    /** Checks that what is open holds the bytes of its tokens, and that nothing has failed. */
    void audit() {
        for (Open open : sequences) {
            verify(open);
        }
        for (Reading reading : readings) {
            for (int i = 0; i < reading.slots().size(); i++) {
                Violation.unless(Bytes.are(reading.memory().get(i), reading.bytes().get(i)),
                        "S2: slot %d of %s has changed while it was leased to be read", reading.slots().get(i), this);
            }
        }
        Violation.unless(peering.desk().failures() == 0, "S4: %s failed to answer a question", this);
        Violation.unless(peering.taker().stats().failed() == 0, "L2: %s failed to take blocks", this);
    }

    void verify(Open open) {
        try {
            ToyModel.verify(open.sequence(), model + open.tenant(), open.tokens(), open.sequence().computedTokens());
        } catch (AssertionError e) {
            throw new Violation("S1: a sequence of " + this + " holds wrong bytes", e);
        }
    }

    /** The slots of everything that is open, those that nobody else may have with what has them. */
    void slots(List<Integer> shared, List<Integer> exclusive) {
        for (Open open : sequences) {
            List<?> blocks = open.sequence().blocks();
            for (int i = 0; i < blocks.size(); i++) {
                int slot = ((BlockHandle) blocks.get(i)).index();
                (i < open.sequence().sharedBlocks() ? shared : exclusive).add(slot);
            }
        }
        readings.forEach(reading -> shared.addAll(reading.slots()));
    }

    @Override
    public String toString() {
        return "worker " + id + " of epoch " + epoch + " at " + address;
    }
}
