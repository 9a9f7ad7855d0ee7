package io.kvbm.remote;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

import io.kvbm.block.BlockChecksum;
import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.block.PinList;
import io.kvbm.error.RemoteException;
import io.kvbm.pool.BlockPool;
import io.kvbm.time.MonotonicClock;

/**
 * The blocks that this worker holds for others, each for a time by its own clock. A leased block goes neither back to the
 * pool nor into its registry.
 *
 * <ul>
 * <li>A lease to read ends with its time: only the reader can be hurt, and its checksum tells.
 * <li>A lease to a writer that asks ends with its time too, or with the copy that runs then: this worker copies itself, so
 * nobody else can write.
 * <li>A lease to a writer that writes by itself never ends with its time. Whether the writer still writes is unknown, so
 * the blocks stay in quarantine until it says that it has done, it is proved gone, or it cannot reach the memory any more.
 * </ul>
 *
 * Safe for use by several threads.
 */
public final class Leases implements AutoCloseable {

    private final LeaseLimits limits;
    private final MonotonicClock clock;
    private final Map<Long, Lease> leases = new HashMap<>();
    private long next;
    private long expired;
    private long refused;
    private boolean draining;

    /**
     * Holds nothing yet.
     *
     * @param first number of the first lease; others should not be able to guess it
     */
    public Leases(LeaseLimits limits, MonotonicClock clock, long first) {
        this.limits = limits;
        this.clock = clock;
        this.next = first;
    }

    // ---------------------------------------------------------------------------------------------- read

    /**
     * Holds the longest run of slots, from the first on, that still have the content of their generations.
     *
     * @throws RemoteException {@code BUSY} where the worker has leased as much as it may, {@code DRAINING}
     */
    public PeerAnswer.Leased read(long asker, BlockPool pool, int[] slots, long[] generations, Duration time) {
        PinList pins = null;
        try (BlockList<ImmutableBlock> held = pool.holdSlots(slots, generations)) {
            pins = PinList.of(held);
            if (pins.isEmpty()) {
                return new PeerAnswer.Leased(0, new int[0], bounded(time));
            }
            requireRoom(asker, pins.size()); // before anything is computed for it
            int[] checksums = pins.stream().mapToInt(BlockChecksum::of).toArray();
            return grant(asker, pins, checksums, bounded(time));
        } catch (RuntimeException | Error e) {
            if (pins != null) {
                pins.close();
            }
            throw e;
        }
    }

    private synchronized PeerAnswer.Leased grant(long asker, PinList pins, int[] checksums, Duration time) {
        requireRoom(asker, pins.size());
        long number = number();
        leases.put(number, new Lease.Read(asker, pins, clock.nanoTime() + time.toNanos()));
        return new PeerAnswer.Leased(number, checksums, time);
    }

    private Duration bounded(Duration time) {
        return time.compareTo(limits.longest()) > 0 ? limits.longest() : time;
    }

    /** A number that no lease had before; 0 stands for none. */
    private long number() {
        if (next == 0) {
            next++;
        }
        return next++;
    }

    private synchronized void requireRoom(long worker, int blocks) {
        if (draining) {
            throw new RemoteException(RemoteException.Kind.DRAINING,
                    "This worker is leaving and leases nothing more; ask another one");
        }
        int count = 0;
        int leased = blocks;
        for (Lease lease : leases.values()) {
            if (lease.holder() == worker) {
                count++;
                leased += lease.pins().size();
            }
        }
        if (count >= limits.leasesPerWorker() || leased > limits.blocksPerWorker()) {
            refused++;
            throw new RemoteException(RemoteException.Kind.BUSY, "Worker " + Long.toUnsignedString(worker) + " has "
                    + count + " of at most " + limits.leasesPerWorker() + " leases and would have " + leased
                    + " of at most " + limits.blocksPerWorker() + " blocks; end leases first");
        }
    }

    // ---------------------------------------------------------------------------------------------- write

    /**
     * Lets another worker fill blocks. Their handles may be closed meanwhile, and cannot be registered before the lease is
     * over.
     *
     * @throws RemoteException {@code BUSY} where the worker has leased as much as it may, or too much of the pool is in
     *         quarantine already; {@code DRAINING}
     * @throws io.kvbm.error.DescriptorException where the blocks are not of one pool
     */
    public WriteLease write(BlockPool pool, List<MutableBlock> blocks, long writer, Writer kind, Duration time) {
        BlockDescriptorList described = BlockDescriptorList.ofMutable(blocks);
        if (!pool.isPoolOf(blocks.getFirst())) {
            throw new IllegalArgumentException("Block " + blocks.getFirst().id() + " is not of " + pool
                    + "; lease blocks of the pool that they are of");
        }
        PinList pins = PinList.of(blocks);
        try {
            return grant(pool, described, pins, writer, kind, bounded(time));
        } catch (RuntimeException | Error e) {
            pins.close();
            throw e;
        }
    }

    private synchronized WriteLease grant(BlockPool pool, BlockDescriptorList blocks, PinList pins, long writer,
            Writer kind, Duration time) {
        requireRoom(writer, pins.size());
        int most = Math.max(1, (int) ((long) pool.totalBlocks() * limits.quarantinePercent() / 100));
        int there = quarantined(blocks.blockSet());
        if (kind == Writer.WRITES && there >= most) {
            refused++;
            throw new RemoteException(RemoteException.Kind.BUSY, there + " blocks of " + pool
                    + " are in quarantine, of at most " + most
                    + ": their writers have not said that they have done; no others may write");
        }
        long number = number();
        leases.put(number, new Lease.Write(writer, pins, clock.nanoTime() + time.toNanos(), blocks, kind));
        return new WriteLease(number, writer, kind, blocks);
    }

    private int quarantined(int set) {
        int blocks = 0;
        for (Lease lease : leases.values()) {
            if (lease instanceof Lease.Write write && write.isQuarantined() && write.blocks.blockSet() == set) {
                blocks += write.pins().size();
            }
        }
        return blocks;
    }

    /** One copy of this worker into leased blocks; while it is open they stay. */
    final class Pull implements AutoCloseable {

        private final long number;
        private final Lease.Write lease;
        private final List<Pin> pins;

        private Pull(long number, Lease.Write lease, List<Pin> pins) {
            this.number = number;
            this.lease = lease;
            this.pins = pins;
        }

        /** The blocks to fill, in the order in which they were asked for. */
        List<Pin> pins() {
            return pins;
        }

        @Override
        public void close() {
            pulled(number, lease);
        }
    }

    /**
     * Begins to copy into leased blocks on the writer's behalf.
     *
     * @param number of the lease; 0 for any lease of the slots, where the writer knows of no number. Slots may have been
     *        leased to the writer again since, for something else, which only the number tells
     * @throws RemoteException {@code NOT_MUTABLE} where a slot is not leased to this writer, or not any more
     */
    synchronized Pull pull(long writer, long number, int blockSet, int[] slots) {
        for (Map.Entry<Long, Lease> entry : leases.entrySet()) {
            if (entry.getValue() instanceof Lease.Write lease && !lease.over && lease.holder() == writer
                    && (number == 0 || number == entry.getKey()) && lease.blocks.blockSet() == blockSet
                    && clock.nanoTime() - lease.deadline() < 0) {
                List<Pin> pins = pins(lease, slots);
                if (pins.size() == slots.length) {
                    lease.pulls++;
                    return new Pull(entry.getKey(), lease, pins);
                }
            }
        }
        throw new RemoteException(RemoteException.Kind.NOT_MUTABLE, "The " + slots.length
                + " blocks of block set " + blockSet + " are not leased to worker " + Long.toUnsignedString(writer)
                + (number == 0 ? "" : " by lease " + Long.toUnsignedString(number))
                + " at this time; have their owner lease them");
    }

    /** The pins of a lease on these slots; fewer where one is not among them. */
    private static List<Pin> pins(Lease.Write lease, int[] slots) {
        Map<Integer, Pin> bySlot = new HashMap<>();
        for (int i = 0; i < lease.blocks.size(); i++) {
            bySlot.put(lease.blocks.index(i), lease.pins().get(i));
        }
        List<Pin> pins = new ArrayList<>(slots.length);
        for (int slot : slots) {
            Pin pin = bySlot.remove(slot);
            if (pin != null) {
                pins.add(pin);
            }
        }
        return pins;
    }

    private synchronized void pulled(long number, Lease.Write lease) {
        lease.pulls--;
        freeIfOver(number, lease);
    }

    // ---------------------------------------------------------------------------------------------- end

    /**
     * Ends a lease because the other worker has done: its terminal status, which also ends a quarantine. Does nothing
     * where the lease is over or another worker's.
     */
    public synchronized void end(long holder, long number) {
        Lease lease = leases.get(number);
        if (lease != null && lease.holder() == holder) {
            finish(number, lease, true);
        }
    }

    /** Ends a lease to write because its owner wants the blocks back; what the writer may still write stays held. */
    public synchronized void revoke(WriteLease lease) {
        Lease held = leases.get(lease.number());
        if (held != null) {
            finish(lease.number(), held, false);
        }
    }

    /** Ends every lease of a worker that cannot read or write any more, as its process is proved gone. */
    public synchronized void gone(long holder) {
        finishAll(lease -> lease.holder() == holder, true);
    }

    /** Ends the leases whose time is over. */
    public synchronized void advance() {
        long now = clock.nanoTime();
        expired += finishAll(
                lease -> now - lease.deadline() >= 0 && !(lease instanceof Lease.Write write && write.over),
                false);
    }

    private int finishAll(Predicate<Lease> chosen, boolean done) {
        List<Map.Entry<Long, Lease>> due = leases.entrySet()
                .stream()
                .filter(entry -> chosen.test(entry.getValue()))
                .map(Map.Entry::copyOf)
                .toList();
        due.forEach(entry -> finish(entry.getKey(), entry.getValue(), done));
        return due.size();
    }

    /** Lets the blocks go at once, with the copies that run, or not before the writer has done. */
    private void finish(long number, Lease lease, boolean done) {
        if (lease instanceof Lease.Write write) {
            write.over = true;
            write.done |= done;
        }
        freeIfOver(number, lease);
    }

    private void freeIfOver(long number, Lease lease) {
        if ((lease instanceof Lease.Read || (lease instanceof Lease.Write write && write.mayBeFreed()))
                && leases.remove(number) != null) {
            lease.pins().close();
        }
    }

    /** Leases nothing more. */
    public synchronized void drain() {
        draining = true;
    }

    /** What is held now. */
    public synchronized LeaseStats stats() {
        int reads = 0;
        int writes = 0;
        int blocks = 0;
        for (Lease lease : leases.values()) {
            switch (lease) {
                case Lease.Read _ -> reads++;
                case Lease.Write write when write.isQuarantined() -> blocks += write.pins().size();
                case Lease.Write _ -> writes++;
            }
        }
        return new LeaseStats(reads, writes, blocks, expired, refused);
    }

    /** Lets everything go: nobody can reach the memory any more. Leases nothing more. */
    @Override
    public synchronized void close() {
        draining = true;
        finishAll(_ -> true, true);
    }
}
