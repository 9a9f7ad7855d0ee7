package io.kvbm.nixl;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

import io.kvbm.block.PinList;
import io.kvbm.error.NixlException;
import io.kvbm.storage.HostStorage;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteTransport;

/**
 * The agent by which this worker reaches others; they reach it by another one, so that this one can be given up. Where a
 * transfer fails or is not over in time, its bytes may arrive, or be sent, as long as there is its agent: so long its
 * blocks are held.
 */
final class Initiator {

    private final NixlAgent agent;
    private final NixlBackend backend;
    private final Map<HostStorage, NixlMemory> memories = new HashMap<>();
    private final Map<RemoteAgent, Integer> uses = new HashMap<>();
    private final Map<BlockRanges, PreparedBlocks> prepared = new HashMap<>();
    private final List<PinList> held = new ArrayList<>();
    private int heldBlocks;
    private int abandonedBlocks;
    private int underWay;
    private boolean closed;
    private long doubtSince;

    Initiator(NixlAgent agent, NixlBackend backend) {
        this.agent = agent;
        this.backend = backend;
    }

    NixlBackend backend() {
        return backend;
    }

    synchronized void register(HostStorage storage) {
        memories.computeIfAbsent(storage, memory -> backend.register(memory.address(), memory.size()));
    }

    synchronized void withdraw(HostStorage storage) {
        NixlMemory memory = memories.remove(storage);
        if (memory != null) {
            prepared.clear(); // its lists are closed with it
            memory.close();
        }
    }

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

    synchronized PreparedBlocks prepared(BlockRanges blocks) {
        return prepared.computeIfAbsent(blocks, ranges -> new PreparedBlocks(ranges, backend::prepare));
    }

    /** Goes on with what was sent before, such as the ends of connections. */
    void drive() {
        var _ = agent.takeNotifications();
    }

    // ---------------------------------------------------------------------------------------- transfers

    synchronized void begin() {
        underWay++;
    }

    synchronized void end() {
        underWay--;
        notifyAll();
    }

    /** Nobody waits for a transfer any more that moves so many blocks; it goes on. */
    synchronized void abandoned(int blocks) {
        abandonedBlocks += blocks;
        doubt();
    }

    /** It has ended nevertheless. */
    synchronized void found(int blocks) {
        abandonedBlocks -= blocks;
        doubt();
    }

    /** Holds blocks that may still be moved until it is closed; not at all where it is. */
    void hold(PinList pins) {
        synchronized (this) {
            if (!closed) {
                held.add(pins);
                heldBlocks += pins.size();
                doubt();
                return;
            }
        }
        pins.close();
    }

    private void doubt() {
        boolean isThere = inDoubt() > 0;
        if (isThere && doubtSince == 0) {
            doubtSince = MonotonicClock.SYSTEM.nanoTime() | 1;
        } else if (!isThere) {
            doubtSince = 0;
        }
    }

    /** The number of blocks that may still be moved though nobody waits for it. */
    synchronized int inDoubt() {
        return heldBlocks + abandonedBlocks;
    }

    /** Since when there are any, by the clock of the system. */
    synchronized OptionalLong doubtSince() {
        return doubtSince == 0 ? OptionalLong.empty() : OptionalLong.of(doubtSince);
    }

    /** Waits until nothing is under way, or for so long. */
    synchronized void awaitEnd(long nanos) throws InterruptedException {
        long deadline = MonotonicClock.SYSTEM.nanoTime() + nanos;
        for (long left = nanos; underWay > 0 && left > 0; left = deadline - MonotonicClock.SYSTEM.nanoTime()) {
            wait(left / 1_000_000 + 1);
        }
    }

    /** Ends the agent and whatever is under way, after which no byte moves any more. */
    void close() {
        List<PinList> free;
        try {
            agent.close();
        } finally {
            synchronized (this) {
                closed = true;
                free = List.copyOf(held);
                held.clear();
                heldBlocks = 0;
                doubt();
            }
            free.forEach(PinList::close);
        }
    }

    @Override
    public String toString() {
        return agent.toString();
    }
}
