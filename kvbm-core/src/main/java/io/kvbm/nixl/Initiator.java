package io.kvbm.nixl;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.PinList;
import io.kvbm.error.KvbmException;
import io.kvbm.error.NixlException;
import io.kvbm.storage.HostStorage;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteTransport;

/**
 * The agent by which this worker reaches others, and the thread that does so: it starts transfers and asks again and again
 * how far they are, which is also what moves them. Others reach this worker by another agent, so that this one can be
 * given up. Where a transfer fails or is not over in time, its bytes may arrive, or be sent, as long as there is its
 * agent: so long its blocks are held.
 */
final class Initiator {

    /** Between two looks while nothing is under way, at what was sent before, such as the ends of connections. */
    private static final long IDLE_NANOS = 20_000_000;

    /** For so long a look is followed by the next at once: a sleep takes longer than most transfers. */
    private static final long SOON_NANOS = 20_000_000;

    /** Between two looks at transfers that take longer, or will never end. */
    private static final long LATER_NANOS = 100_000;

    private static final Logger log = LoggerFactory.getLogger(Initiator.class);

    private final NixlAgent agent;
    private final NixlBackend backend;
    private final Map<HostStorage, NixlMemory> memories = new HashMap<>();
    private final Map<RemoteAgent, Integer> uses = new HashMap<>();
    private final Map<BlockRanges, PreparedBlocks> prepared = new HashMap<>();
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final List<Flight> flights = new ArrayList<>();
    private final Thread thread;
    private volatile boolean stopped;
    private volatile boolean hasEnded;
    private volatile long lastTurn = MonotonicClock.SYSTEM.nanoTime();
    private long lastStart;

    /** Guards the numbers below, and is never held in a call of NIXL: requests ask for them. */
    private final Object doubts = new Object();
    private final List<PinList> held = new ArrayList<>();
    private int heldBlocks;
    private int abandonedBlocks;
    private int underWay;
    private boolean isDestroyed;
    private long doubtSince;

    Initiator(NixlAgent agent, NixlBackend backend) {
        this.agent = agent;
        this.backend = backend;
        this.thread = Thread.ofPlatform().name("kvbm-nixl").daemon().start(this::run);
    }

    NixlBackend backend() {
        return backend;
    }

    // ---------------------------------------------------------------------------------------- memory

    synchronized void register(HostStorage storage) {
        memories.computeIfAbsent(storage, memory -> backend.register(memory.address(), memory.size()));
    }

    synchronized void withdraw(HostStorage storage) {
        NixlMemory memory = memories.remove(storage);
        if (memory != null) {
            memory.close();
            prepared.values().removeIf(PreparedBlocks::isGone);
        }
    }

    synchronized PreparedBlocks prepared(BlockRanges blocks) {
        return prepared.computeIfAbsent(blocks, ranges -> new PreparedBlocks(ranges, backend::prepare));
    }

    // ---------------------------------------------------------------------------------------- others

    /**
     * The agent of these metadata, which is loaded once however often it is asked for.
     *
     * @throws NixlException {@code MALFORMED_METADATA} where they are of another worker or another life of it
     */
    synchronized RemoteAgent acquire(long workerId, long epoch, byte[] metadata) {
        RemoteAgent remote = agent.load(metadata);
        uses.merge(remote, 1, Integer::sum);
        if (!RemoteTransport.isAgentOf(workerId, epoch, remote.name())) {
            release(remote);
            throw new NixlException(NixlException.Kind.MALFORMED_METADATA, "nixl_capi_load_remote_md", null,
                    "The metadata are of agent " + remote.name() + ", not of worker "
                            + Long.toUnsignedString(workerId) + " of epoch " + Long.toUnsignedString(epoch)
                            + "; fetch the blockset anew");
        }
        return remote;
    }

    /** Lets an agent go when nobody uses it any more: closing it ends whatever is under way with it. */
    synchronized void release(RemoteAgent remote) {
        if (uses.merge(remote, -1, Integer::sum) == 0) {
            uses.remove(remote);
            remote.close();
        }
    }

    // ---------------------------------------------------------------------------------------- thread

    /** Has the thread do something. Where it has ended it is done at once, and finds everything closed. */
    void execute(Runnable task) {
        tasks.add(task);
        if (hasEnded) {
            runTasks();
        } else {
            LockSupport.unpark(thread);
        }
    }

    /** Has the thread start a transfer. */
    void start(Flight flight) {
        execute(() -> {
            if (flight.start()) {
                flights.add(flight);
                lastStart = MonotonicClock.SYSTEM.nanoTime();
            }
        });
    }

    private void run() {
        try {
            while (!stopped) {
                turn();
            }
        } finally {
            destroy();
        }
    }

    /** Whatever fails, others go on: an agent whose thread is gone would cost every request its whole time. */
    private void turn() {
        lastTurn = MonotonicClock.SYSTEM.nanoTime();
        try {
            runTasks();
            look();
            if (!flights.isEmpty()) {
                goOnSoon();
            } else if (tasks.isEmpty()) {
                var _ = agent.takeNotifications(); // nobody sends it any
                LockSupport.parkNanos(this, IDLE_NANOS);
            }
        } catch (KvbmException e) {
            log.debug("{} is not driven for a moment: {}", this, e.getMessage());
            LockSupport.parkNanos(this, IDLE_NANOS);
        } catch (RuntimeException | Error e) {
            log.error("{} failed to do something and goes on", this, e);
            LockSupport.parkNanos(this, IDLE_NANOS);
        }
    }

    @SuppressWarnings("ThreadPriorityCheck")
    private void goOnSoon() {
        if (MonotonicClock.SYSTEM.nanoTime() - lastStart < SOON_NANOS) {
            Thread.yield();
        } else {
            LockSupport.parkNanos(this, LATER_NANOS);
        }
    }

    private void runTasks() {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
            try {
                task.run();
            } catch (RuntimeException e) {
                log.warn("{} failed to do something", this, e);
            }
        }
    }

    private void look() {
        for (Iterator<Flight> each = flights.iterator(); each.hasNext();) {
            if (isOver(each.next())) {
                each.remove();
            }
        }
    }

    private boolean isOver(Flight flight) {
        try {
            return flight.look();
        } catch (RuntimeException e) {
            log.warn("A transfer was not brought to its end cleanly", e);
            return true;
        }
    }

    /** Since when the thread is at one thing, by the clock of the system. */
    long lastTurn() {
        return lastTurn;
    }

    // ---------------------------------------------------------------------------------------- doubt

    void begin() {
        synchronized (doubts) {
            underWay++;
        }
    }

    void end() {
        synchronized (doubts) {
            underWay--;
            doubts.notifyAll();
        }
    }

    /** Nobody waits for a transfer any more that moves so many blocks; it goes on. */
    void abandoned(int blocks) {
        synchronized (doubts) {
            abandonedBlocks += blocks;
            doubt();
        }
    }

    /** It has ended nevertheless. */
    void found(int blocks) {
        synchronized (doubts) {
            abandonedBlocks -= blocks;
            doubt();
        }
    }

    /** Holds blocks that may still be moved until it is closed; not at all where it is. */
    void hold(PinList pins) {
        synchronized (doubts) {
            if (!isDestroyed) {
                held.add(pins);
                heldBlocks += pins.size();
                doubt();
                return;
            }
        }
        pins.close();
    }

    private void doubt() {
        boolean isThere = heldBlocks + abandonedBlocks > 0;
        if (isThere && doubtSince == 0) {
            doubtSince = MonotonicClock.SYSTEM.nanoTime() | 1;
        } else if (!isThere) {
            doubtSince = 0;
        }
    }

    /** The number of blocks that may still be moved though nobody waits for it. */
    int inDoubt() {
        synchronized (doubts) {
            return heldBlocks + abandonedBlocks;
        }
    }

    /** Since when there are any, by the clock of the system. */
    OptionalLong doubtSince() {
        synchronized (doubts) {
            return doubtSince == 0 ? OptionalLong.empty() : OptionalLong.of(doubtSince);
        }
    }

    // ---------------------------------------------------------------------------------------- end

    /** Waits until nothing is under way, or for so long. */
    void awaitEnd(long nanos) throws InterruptedException {
        long deadline = MonotonicClock.SYSTEM.nanoTime() + nanos;
        synchronized (doubts) {
            for (long left = nanos; underWay > 0 && left > 0; left = deadline - MonotonicClock.SYSTEM.nanoTime()) {
                doubts.wait(left / 1_000_000 + 1);
            }
        }
    }

    /** Whether the agent is gone, so that no byte moves any more. */
    boolean isClosed() {
        synchronized (doubts) {
            return isDestroyed;
        }
    }

    /** Has the thread end the agent and whatever is under way. */
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
    }

    /** Waits for the thread to end, or for so long; returns whether it has. It may be long in NIXL. */
    boolean awaitStop(Duration most) {
        boolean interrupted = false;
        boolean ended = false;
        long deadline = MonotonicClock.SYSTEM.nanoTime() + most.toNanos();
        for (long left = most.toNanos(); !ended && left > 0; left = deadline - MonotonicClock.SYSTEM.nanoTime()) {
            try {
                ended = thread.join(Duration.ofNanos(left));
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return ended;
    }

    /** Only an agent that is destroyed moves nothing any more; where that fails its blocks stay held. */
    private void destroy() {
        try {
            agent.close();
        } catch (RuntimeException e) {
            log.error("{} did not end well; {} blocks that it may still move stay held", this, inDoubt(), e);
        }
        List<PinList> free;
        hasEnded = true;
        synchronized (doubts) {
            isDestroyed = agent.isDestroyed();
            free = isDestroyed ? List.copyOf(held) : List.of();
            if (isDestroyed) {
                held.clear();
                heldBlocks = 0;
                doubt();
            }
        }
        free.forEach(this::letGo);
        runTasks();
        look();
    }

    private void letGo(PinList pins) {
        try {
            pins.close();
        } catch (RuntimeException e) {
            log.warn("Blocks that were held by {} were not given back cleanly", this, e);
        }
    }

    @Override
    public String toString() {
        return agent.toString();
    }
}
