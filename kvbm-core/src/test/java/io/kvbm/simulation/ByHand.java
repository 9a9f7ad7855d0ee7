package io.kvbm.simulation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.IntStream;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.KvbmException;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.PutRequest;
import io.kvbm.remote.WriteLease;
import io.kvbm.remote.Writer;
import io.kvbm.simulation.Totals.What;

/** Blocks that workers tell each other of, and then lease, put into, get, and write from outside, as a network card does. */
final class ByHand {

    private static final int MOST = 12;

    private final Simulation world;
    private final Cluster cluster;
    private final List<Described> described = new ArrayList<>();
    private final List<Grant> grants = new ArrayList<>();

    /**
     * Content that its owner has told of.
     *
     * @param owner whose it is
     * @param json the list as it was sent
     * @param bytes what it was
     * @param seen the list as others have understood it
     */
    private record Described(Life owner, String json, List<List<byte[]>> bytes, List<Seen> seen) {}

    private record Seen(Life reader, List<RemoteBlock> blocks) {}

    ByHand(Simulation world) {
        this.world = world;
        this.cluster = world.cluster;
        world.mayHappen(8, "describe", () -> cluster.any(life -> life.isRunning() && life.hasShared(), this::describe));
        world.mayHappen(10, "get", () -> anyDescribed(wanted -> cluster.anyRunning(reader -> get(reader, wanted))));
        world.mayHappen(5, "lease", () -> anyDescribed(wanted -> cluster.anyRunning(reader -> lease(reader, wanted))));
        world.mayHappen(3, "endLease", () -> cluster.any(life -> life.isRunning() && !life.readings.isEmpty(),
                this::endReading));
        world.mayHappen(6, "grant", () -> cluster.anyRunning(owner -> cluster
                .any(life -> life.isRunning() && life.id != owner.id, writer -> grant(owner, writer))));
        world.mayHappen(10, "put", () -> any(Grant::mayPut, this::put));
        world.mayHappen(8, "write", () -> any(Grant::writes, this::writeFromOutside));
        world.mayHappen(4, "end", () -> any(grant -> grant.writer.isRunning() && !grant.ended, this::end));
        world.mayHappen(2, "revoke", () -> any(grant -> grant.owner.isRunning() && !grant.ended, this::revoke));
        world.mayHappen(3, "giveBack", () -> any(grant -> grant.owner.isRunning() && !grant.closed, this::giveBack));
        world.mayHappen(2, "gone", () -> any(grant -> grant.owner.isRunning() && !cluster.isThere(grant.writer.id),
                this::gone));
    }

    private void anyDescribed(Consumer<Described> deed) {
        Described wanted = world.any(described, _ -> true);
        if (wanted != null) {
            deed.accept(wanted);
        }
    }

    private void any(Predicate<Grant> which, Consumer<Grant> deed) {
        Grant grant = world.any(grants, which);
        if (grant != null) {
            deed.accept(grant);
        }
    }

    // ---------------------------------------------------------------------------------------------- read

    private void describe(Life life) {
        Life.Open open = world.any(life.sequences, some -> some.sequence().sharedBlocks() > 0);
        if (open != null) {
            List<ImmutableBlock> all = open.shared();
            List<ImmutableBlock> some = all.subList(0, world.random.nextInt(1, all.size() + 1));
            described.add(new Described(life, BlockDescriptorList.ofImmutable(some).toJson(),
                    some.stream().map(Bytes::parts).map(Bytes::copy).toList(), new ArrayList<>()));
            if (described.size() > MOST) {
                described.remove(world.random.nextInt(described.size()));
            }
        }
    }

    private void get(Life reader, Described wanted) {
        var _ = world.attempt(reader, () -> {
            List<RemoteBlock> sources = sources(reader, wanted);
            try (BlockList<MutableBlock> copies = reader.pool().allocateBlocks(sources.size())) {
                reader.manager.get(GetRequest.builder().from(sources).to(copies).build());
                for (int i = 0; i < copies.size(); i++) {
                    Violation.unless(Bytes.are(Bytes.parts(copies.get(i)), wanted.bytes().get(i)),
                            "S1: %s was given wrong bytes of %s", reader, wanted.owner());
                }
                world.totals.add(What.GETS, 1);
            }
        });
    }

    private List<RemoteBlock> sources(Life reader, Described wanted) {
        Seen seen = world.any(wanted.seen(), some -> some.reader().equals(reader));
        if (seen != null && world.chance(0.5)) {
            return seen.blocks();
        }
        List<RemoteBlock> found = reader.manager
                .getRemoteBlocksImmutable(BlockDescriptorList.fromJson(wanted.json()));
        wanted.seen().add(new Seen(reader, found));
        return found;
    }

    private void lease(Life reader, Described wanted) {
        BlockDescriptorList list = BlockDescriptorList.fromJson(wanted.json());
        int[] slots = IntStream.range(0, list.size()).map(list::index).toArray();
        long[] generations = IntStream.range(0, list.size()).mapToLong(i -> list.generation(i).orElseThrow()).toArray();
        Duration time = Duration.ofSeconds(world.random.nextInt(1, 8));
        ask(reader, wanted.owner(), new PeerRequest.Lease(reader.id, wanted.owner().epoch, list.blockSet(), slots,
                generations, time));
    }

    private void endReading(Life owner) {
        Life.Reading reading = owner.readings.get(world.random.nextInt(owner.readings.size()));
        cluster.any(life -> life.isRunning() && life.id == reading.holder(),
                holder -> ask(holder, owner, new PeerRequest.EndLease(holder.id, owner.epoch, reading.number())));
    }

    private void ask(Life asker, Life other, PeerRequest request) {
        var _ = world.attempt(asker, () -> asker.links.to(other.address).ask(request));
    }

    // ---------------------------------------------------------------------------------------------- write

    private void grant(Life owner, Life writer) {
        if (grants.size() >= MOST) {
            return;
        }
        var _ = world.attempt(owner, () -> {
            BlockList<MutableBlock> own = owner.pool().allocateBlocks(world.random.nextInt(1, 4));
            owner.granted.add(own);
            Duration time = Duration.ofSeconds(world.random.nextInt(1, 10));
            try {
                WriteLease lease = owner.peering.leases()
                        .write(owner.pool(), own, writer.id, world.chance(0.5) ? Writer.ASKS : Writer.WRITES, time);
                grants.add(new Grant(owner, writer, lease, own, owner.nanoTime() + time.toNanos()));
            } catch (KvbmException e) {
                own.close();
                throw e;
            }
        });
    }

    private void put(Grant grant) {
        Life writer = grant.writer;
        boolean there = grant.owner.isThere();
        grant.putting = true;
        var _ = world.attempt(writer, () -> {
            List<RemoteBlock> targets = targets(grant);
            long number = world.unique();
            try (BlockList<MutableBlock> sources = writer.pool().allocateBlocks(targets.size())) {
                sources.forEach(source -> Bytes.fill(Bytes.parts(source), number));
                grant.known = Grant.UNKNOWN;
                grant.newest = number;
                writer.manager.put(PutRequest.builder()
                        .from(sources)
                        .to(targets)
                        .lease(grant.lease.number())
                        .notification(grant.lease.number() + ":" + number)
                        .build());
                Violation.unless(there, "S1: %s has put into %s, which was gone", writer, grant.owner);
                if (grant.leased() && grant.owner.isThere()) {
                    arrived(grant, number);
                }
                world.totals.add(What.PUTS, 1);
            }
        });
        grant.putting = false;
    }

    private List<RemoteBlock> targets(Grant grant) {
        if (grant.seen == null || (grant.owner.isThere() && world.chance(0.25))) {
            String json = grant.lease.blocks().toJson();
            grant.seen = grant.writer.manager.getRemoteBlocksMutable(BlockDescriptorList.fromJson(json));
        }
        return grant.seen;
    }

    /** The application of a worker is told by another that its bytes have arrived. */
    void notified(Life owner, String text) {
        int colon = text.indexOf(':');
        long lease = Long.parseLong(text.substring(0, colon));
        for (Grant grant : grants) {
            if (grant.owner.equals(owner) && grant.lease.number() == lease && grant.holds()) {
                arrived(grant, Long.parseLong(text.substring(colon + 1)));
            }
        }
    }

    /** An owner begins to copy into leased blocks (1), or ends to (-1). */
    void pulling(Life owner, PeerRequest request, int change) {
        if (request instanceof PeerRequest.Pull pull) {
            grants.stream()
                    .filter(grant -> grant.owner.equals(owner) && grant.lease.number() == pull.lease())
                    .forEach(grant -> grant.pulls += change);
        }
    }

    private static void arrived(Grant grant, long number) {
        Violation.unless(grant.holdsBytes(number), "S1: %s was told that bytes of %s have arrived, but they have not",
                grant.owner, grant.writer);
        if (number == grant.newest) { // else the next put has begun, and may write over these at any moment
            grant.known = number;
        }
    }

    private void writeFromOutside(Grant grant) {
        world.totals.add(What.WRITES_FROM_OUTSIDE, 1);
        Bytes.fill(grant.memory.get(world.random.nextInt(grant.memory.size())), world.unique());
    }

    // ---------------------------------------------------------------------------------------------- end

    /** The writer has done, and says so, which may have to be said again. */
    private void end(Grant grant) {
        grant.stopped = true;
        ask(grant.writer, grant.owner, new PeerRequest.EndLease(grant.writer.id, grant.owner.epoch,
                grant.lease.number()));
    }

    /** A lease was ended by its holder. */
    void ended(Life owner, long holder, long number) {
        for (Grant grant : grants) {
            if (grant.owner.equals(owner) && grant.lease.writer() == holder && grant.lease.number() == number) {
                grant.ended = true;
            }
        }
    }

    /** The owner wants its blocks back. */
    private void revoke(Grant grant) {
        grant.owner.peering.leases().revoke(grant.lease);
        grant.over = true;
    }

    /** The owner has no use for the blocks any more. */
    private void giveBack(Grant grant) {
        grant.closed = true;
        grant.blocks.close();
        grants.removeIf(some -> !some.holds() && !some.writes() && world.chance(0.3));
    }

    /** A writer's process is proved gone. */
    private void gone(Grant grant) {
        gone(grant.owner, grant.writer.id);
    }

    private void gone(Life owner, long holder) {
        owner.peering.leases().gone(holder);
        owner.readings.removeIf(reading -> reading.holder() == holder);
        grants.stream()
                .filter(grant -> grant.owner.equals(owner) && grant.writer.id == holder)
                .forEach(grant -> grant.ended = true);
    }

    /** Time has passed for an owner. */
    void advanced(Life owner) {
        grants.stream()
                .filter(grant -> grant.owner.equals(owner) && owner.nanoTime() - grant.deadline >= 0)
                .forEach(grant -> grant.over = true);
    }

    /** An owner is gone; what was understood of it is used all the same. */
    void ended(Life owner) {
        grants.removeIf(grant -> grant.owner.equals(owner) && !grant.asks());
        grants.stream().filter(grant -> grant.owner.equals(owner)).forEach(grant -> {
            grant.closed = true;
            grant.ended = true;
        });
    }

    /** Everybody is done with everything. */
    void finish() {
        for (Grant grant : List.copyOf(grants)) {
            if (grant.owner.isThere()) {
                giveBack(grant);
                grant.stopped = true;
                if (grant.ended) {
                    continue;
                }
                if (grant.writer.isThere()) {
                    end(grant);
                } else {
                    grant.owner.peering.leases().end(grant.writer.id, grant.lease.number());
                    grant.ended = true;
                }
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- what has to hold

    /** What has been put into blocks stays there until they are put into again or given back. */
    void audit() {
        for (Grant grant : grants) {
            if (grant.owner.isThere() && grant.leased() && grant.known != Grant.UNKNOWN) {
                Violation.unless(grant.holdsBytes(grant.known), "S2: what %s has put into %s was overwritten",
                        grant.writer, grant.owner);
            }
        }
    }

    /** The slots of an owner that nobody else may use. */
    void slots(Life owner, List<Integer> exclusive) {
        for (Grant grant : grants) {
            if (grant.owner.equals(owner) && (grant.holds() || grant.writes())) {
                BlockDescriptorList list = grant.lease.blocks();
                IntStream.range(0, list.size()).map(list::index).forEach(exclusive::add);
            }
        }
    }
}
