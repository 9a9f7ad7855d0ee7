package io.kvbm.simulation;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

import io.kvbm.ToyModel;
import io.kvbm.pool.PoolStats;
import io.kvbm.remote.LeaseStats;
import io.kvbm.remote.Peer;
import io.kvbm.remote.PeerState;
import io.kvbm.remote.ReadOutcome;
import io.kvbm.simulation.Totals.What;

/** The end of a simulation: faults and requests stop, and after a while nothing reminds of them any more. */
final class Recovery {

    private static final int SECONDS = 30;
    private static final int SECONDS_TO_TELL = 4;

    private final Simulation world;
    private final Cluster cluster;

    Recovery(Simulation world) {
        this.world = world;
        this.cluster = world.cluster;
    }

    void run() {
        cluster.mend();
        cluster.there().forEach(Life::closeSequences);
        world.byHand.finish();
        cluster.settle(SECONDS);
        for (Life life : cluster.there()) {
            requireKnown(life);
            requireFree(life);
        }
        cluster.any(life -> life.isRunning() && !life.manager.isWithdrawn() && !cluster.isDisputed(life.id),
                this::requireShared);
    }

    /** Everybody knows everybody: those that are there, undisputed, not about to leave, and of blocks of the same shape. */
    private void requireKnown(Life life) {
        Set<String> expected = new HashSet<>();
        for (Life other : cluster.there()) {
            if (other.id != life.id && other.isWide() == life.isWide() && !cluster.isDisputed(other.id)
                    && !other.manager.isWithdrawn()) {
                expected.add(other.id + " of " + other.epoch);
            }
        }
        Set<String> known = new HashSet<>();
        for (Peer peer : life.peering.peers()) {
            if (peer.state() == PeerState.LIVE) {
                known.add(peer.workerId() + " of " + peer.epoch());
            }
            Violation.unless(peer.blocksInFlight() == 0, "L1: %d blocks of %s are in flight", peer.blocksInFlight(),
                    peer);
            world.totals.add(What.TORN_READS, peer.stats().misses().getOrDefault(ReadOutcome.TORN, 0L));
            world.totals.add(What.STALE_READS, peer.stats().misses().getOrDefault(ReadOutcome.STALE, 0L));
        }
        Violation.unless(known.equals(expected), "L3: %s knows %s, where %s are to be known, of %s", life, known,
                expected, cluster.there());
    }

    private static void requireFree(Life life) {
        PoolStats stats = life.pool().stats();
        Violation.unless(stats.available() == stats.total() && stats.holders() == 0, "L1: blocks of %s are held: %s",
                life, stats);
        LeaseStats leases = life.peering.leases().stats();
        Violation.unless(leases.readLeases() + leases.writeLeases() + leases.quarantined() == 0,
                "L1: %s has leases: %s", life, leases);
    }

    /** What one computes all others of its model find. */
    private void requireShared(Life first) {
        List<Integer> tokens = IntStream.range(0, 3 * ToyModel.PAGE + 1).map(i -> 77_000 + i).boxed().toList();
        Violation.unless(world.requests.open(first, tokens, "z") == 0, "S1: %s has found what nobody has computed",
                first);
        first.closeSequences();
        cluster.settle(SECONDS_TO_TELL);
        for (Life life : cluster.there()) {
            if (life.model.equals(first.model) && life.id != first.id) {
                int reused = world.requests.open(life, tokens, "z");
                Violation.unless(reused == 3 * ToyModel.PAGE, "L3: %s has found %d tokens of %s: %s", life, reused,
                        first, life.peering.taker().stats());
                life.closeSequences();
            }
        }
        world.audit();
    }
}
