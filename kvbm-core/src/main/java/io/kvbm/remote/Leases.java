package io.kvbm.remote;

import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockId;
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

    /** Of so many writes of one writer that have ended is known that they have. */
    private static final int MOST_ENDED = 256;

    /** Of so many writers. */
    private static final int MOST_WRITERS = 1024;

    private static final SequencedSet<Long> NONE = new LinkedHashSet<>();

    private final LeaseLimits limits;
    private final MonotonicClock clock;
    private final Map<Long, Lease> leases = new HashMap<>();
    private final Set<BlockId> filling = new HashSet<>();
    private final Map<WriteId, Outside> writes = new HashMap<>();
    private final LinkedHashMap<Long, SequencedSet<Long>> ended = new LinkedHashMap<>();
    private final Map<BlockPool, ContentChecksums> checksums = new ConcurrentHashMap<>(); // used without the lock
    private long next;
    private long expired;
    private long refused;
    private boolean draining;

    /** What a writer has begun, by the number that it has given to it. */
    private record WriteId(long writer, long number) {}

    /** What a writer writes by itself. */
    private record Outside(long lease, Lease.Write into, List<Pin> pins) {

        boolean isOf(PeerRequest.BeginWrite wanted) {
            return into.blocks.blockSet() == wanted.blockSet() && (wanted.lease() == 0 || wanted.lease() == lease)
                    && Arrays.equals(wanted.slots(), pins.stream().mapToInt(pin -> pin.id().index()).toArray());
        }
    }

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
     * Holds the longest run of slots, from the first on, that still have the content of their generations, as far as there
     * is room: part of a pool is left to this worker's own requests.
     *
     * @param names the identity that each has to have, as many words for every slot; none where any will do
     * @throws RemoteException {@code BUSY} where the worker has leased as much as it may, or all workers together have;
     *         {@code DRAINING}
     */
    public PeerAnswer.Leased read(long asker, BlockPool pool, int[] slots, long[] generations, long[] names,
            Duration time) {
        PinList pins = null;
        int room = Math.min(slots.length, readRoom(pool));
        try (BlockList<ImmutableBlock> held = pool.holdSlots(Arrays.copyOf(slots, room),
                Arrays.copyOf(generations, room),
                Arrays.copyOf(names, names.length == 0 ? 0 : names.length / slots.length * room))) {
            pins = PinList.of(held);
            if (pins.isEmpty()) {
                return new PeerAnswer.Leased(0, new int[0], bounded(time));
            }
            requireRoom(asker, pins.size()); // before anything is computed for it
            int[] checksums = checksums(pool).of(held, pins);
            return grant(asker, pool, pins, checksums, bounded(time));
        } catch (RuntimeException | Error e) {
            if (pins != null) {
                pins.close();
            }
            throw e;
        }
    }

    private ContentChecksums checksums(BlockPool pool) {
        return checksums.computeIfAbsent(pool, of -> new ContentChecksums(of.totalBlocks()));
    }

    private synchronized PeerAnswer.Leased grant(long asker, BlockPool pool, PinList pins, int[] checksums,
            Duration time) {
        requireRoom(asker, pins.size());
        if (pins.size() > readRoom(pool)) {
            refused++;
            throw new RemoteException(RemoteException.Kind.BUSY,
                    "Blocks of " + pool + " were leased to others meanwhile; ask again");
        }
        long number = number();
        leases.put(number, new Lease.Read(asker, pins, clock.nanoTime() + time.toNanos(), pool.blocks().number()));
        return new PeerAnswer.Leased(number, checksums, time);
    }

    /** How many more blocks of a pool may be leased to be read, at least one. */
    private synchronized int readRoom(BlockPool pool) {
        int most = part(pool, limits.readPercent());
        int leased = leases.values()
                .stream()
                .mapToInt(lease -> lease instanceof Lease.Read read && read.blockSet() == pool.blocks().number()
                        ? read.pins().size()
                        : 0)
                .sum();
        if (leased >= most) {
            refused++;
            throw new RemoteException(RemoteException.Kind.BUSY, leased + " blocks of " + pool
                    + " are leased to be read, of at most " + most + "; ask when leases have ended");
        }
        return most - leased;
    }

    /** A part of a pool's blocks, at least one. */
    private static int part(BlockPool pool, int percent) {
        return Math.max(1, (int) ((long) pool.totalBlocks() * percent / 100));
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
        if (kind == Writer.WRITES) {
            requireLittleQuarantine(pool);
        }
        long number = number();
        leases.put(number, new Lease.Write(writer, pins, clock.nanoTime() + time.toNanos(), blocks, kind));
        return new WriteLease(number, writer, kind, blocks);
    }

    private void requireLittleQuarantine(BlockPool pool) {
        int most = part(pool, limits.quarantinePercent());
        int there = quarantined(pool.blocks().number());
        if (there >= most) {
            refused++;
            throw new RemoteException(RemoteException.Kind.BUSY, there + " blocks of " + pool
                    + " are in quarantine, of at most " + most
                    + ": their writers have not said that they have done; no others may write");
        }
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

    /** One copy of this worker into leased blocks; while it is open they stay, and nothing else is copied into them. */
    final class Pull implements AutoCloseable {

        private final long number;
        private final Lease.Write lease;
        private final PeerRequest.Pull wanted;
        private final List<Pin> pins;

        private Pull(long number, Lease.Write lease, PeerRequest.Pull wanted, List<Pin> pins) {
            this.number = number;
            this.lease = lease;
            this.wanted = wanted;
            this.pins = pins;
        }

        /** The blocks to fill, in the order in which they were asked for; none where they are filled already. */
        List<Pin> pins() {
            return pins;
        }

        /** Says that every byte is there, so that the same request, delivered once more, changes nothing. */
        void arrived() {
            filled(lease, wanted);
        }

        @Override
        public void close() {
            pulled(number, lease, pins);
        }
    }

    /**
     * Begins to copy into leased blocks on the writer's behalf. A writer that has given up waiting may ask again while
     * the copy that it gave up runs, and would be told that its bytes are there before that one writes over them; so a
     * block is filled by one copy at a time.
     *
     * @throws RemoteException {@code NOT_MUTABLE} where a slot is not leased to this writer, or not any more;
     *         {@code BUSY} where one is being filled
     */
    synchronized Pull pull(PeerRequest.Pull wanted) {
        Outside free = free(wanted.asker(), wanted.lease(), wanted.targetSet(), wanted.targets());
        return begin(free.lease(), free.into(), wanted, free.pins());
    }

    /** Leased blocks that nobody fills. */
    private Outside free(long writer, long number, int set, int[] slots) {
        for (Map.Entry<Long, Lease> entry : leases.entrySet()) {
            if (entry.getValue() instanceof Lease.Write lease && lease.isFor(writer, set)
                    && (number == 0 || number == entry.getKey()) && clock.nanoTime() - lease.deadline() < 0) {
                List<Pin> pins = lease.pins(slots);
                if (pins.size() == slots.length) {
                    requireUnfilled(pins);
                    return new Outside(entry.getKey(), lease, pins);
                }
            }
        }
        throw new RemoteException(RemoteException.Kind.NOT_MUTABLE, "The " + slots.length
                + " blocks of block set " + set + " are not leased to worker " + Long.toUnsignedString(writer)
                + (number == 0 ? "" : " by lease " + Long.toUnsignedString(number))
                + " at this time; have their owner lease them");
    }

    private void requireUnfilled(List<Pin> pins) {
        for (Pin pin : pins) {
            if (filling.contains(pin.id())) {
                throw new RemoteException(RemoteException.Kind.BUSY, "Block " + pin.id()
                        + " is being filled; wait until that has ended and ask again");
            }
        }
    }

    private Pull begin(long number, Lease.Write lease, PeerRequest.Pull wanted, List<Pin> pins) {
        List<Pin> open = lease.isFilledBy(wanted) ? List.of() : pins;
        open.forEach(pin -> filling.add(pin.id()));
        if (!open.isEmpty()) {
            lease.forget(wanted.targets());
        }
        lease.pulls++;
        return new Pull(number, lease, wanted, open);
    }

    private synchronized void filled(Lease.Write lease, PeerRequest.Pull wanted) {
        lease.filledBy(wanted);
    }

    private synchronized void pulled(long number, Lease.Write lease, List<Pin> pins) {
        unfill(pins);
        lease.pulls--;
        freeIfOver(number, lease);
    }

    /**
     * Has a writer begin to write leased blocks by itself; they stay, and nothing else is written into them, until it has
     * said that it has done. Asking twice is asking once; asking after that is not, as where the question was long on its
     * way.
     *
     * @throws RemoteException {@code NOT_MUTABLE} and {@code BUSY} as {@link #pull}; {@code BUSY} also where too much of
     *         the pool is in quarantine already
     */
    synchronized void beginWrite(BlockPool pool, PeerRequest.BeginWrite wanted) {
        WriteId id = new WriteId(wanted.asker(), wanted.write());
        Outside before = writes.get(id);
        if (before != null && before.isOf(wanted)) {
            return;
        }
        if (before != null || ended.getOrDefault(id.writer(), NONE).contains(id.number())) {
            throw new RemoteException(RemoteException.Kind.NOT_MUTABLE, "Write " + Long.toUnsignedString(id.number())
                    + " of worker " + Long.toUnsignedString(id.writer()) + " has begun or ended before; give each"
                    + " a number of its own");
        }
        Outside write = free(wanted.asker(), wanted.lease(), wanted.blockSet(), wanted.slots());
        requireLittleQuarantine(pool);
        write.pins().forEach(pin -> filling.add(pin.id()));
        write.into().forget(wanted.slots());
        write.into().writes++;
        writes.put(id, write);
    }

    /**
     * A writer has done.
     *
     * @return whether it had begun, and this is the first time that it says so
     */
    synchronized boolean endWrite(long writer, long number) {
        remember(writer, number);
        Outside write = writes.remove(new WriteId(writer, number));
        if (write == null) {
            return false;
        }
        unfill(write.pins());
        write.into().writes--;
        freeIfOver(write.lease(), write.into());
        return true;
    }

    private void remember(long writer, long number) {
        if (ended.size() >= MOST_WRITERS && !ended.containsKey(writer)) {
            ended.pollFirstEntry();
        }
        SequencedSet<Long> its = ended.computeIfAbsent(writer, _ -> new LinkedHashSet<>());
        if (its.add(number) && its.size() > MOST_ENDED) {
            its.removeFirst();
        }
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
            writes.values().stream().filter(write -> write.into() == lease).forEach(write -> unfill(write.pins()));
            writes.values().removeIf(write -> write.into() == lease);
            lease.pins().close();
        }
    }

    /** Nothing is copied or written into these blocks any more. */
    private void unfill(List<Pin> pins) {
        pins.forEach(pin -> filling.remove(pin.id()));
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
