package io.kvbm.spring.boot.actuate;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.ManagerStats;
import io.kvbm.OpenSequence;
import io.kvbm.block.BlockSet;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.Leak;
import io.kvbm.pool.PoolStats;
import io.kvbm.remote.LeaseLimits;
import io.kvbm.remote.LeaseStats;
import io.kvbm.remote.Peer;
import io.kvbm.remote.PeerIndexStats;
import io.kvbm.remote.PeerLimits;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.PeerState;
import io.kvbm.remote.PeerStats;
import io.kvbm.remote.Peering;
import io.kvbm.remote.ReadOutcome;
import io.kvbm.remote.TakeStats;
import io.kvbm.spring.boot.discovery.KvbmCluster;
import io.kvbm.storage.MemoryRange;
import io.kvbm.storage.StorageType;
import io.kvbm.tier.Route;
import io.kvbm.tier.RouteStats;
import io.kvbm.tier.TierLimits;
import io.kvbm.tier.Tiering;

/**
 * The block manager at this moment: sizes and counters, never content, tokens, tenants, or whether a prompt is cached.
 *
 * @param workerId this instance among all workers, an unsigned decimal
 * @param fingerprint what makes content interchangeable with other workers
 * @param model the geometry of a block
 * @param levels levels of memory, nearest first
 * @param routes the ways between them
 * @param sequences what requests asked for
 * @param leaks the last of what was never closed, the newest first
 * @param events events published; there are none while nobody listens
 * @param transfersInFlight transfers under way
 * @param configuration what it was made with
 * @param cluster what is known of other instances; null where nothing is shared
 */
public record ManagerDescriptor(String workerId, String fingerprint, ModelDescriptor model,
        List<LevelDescriptor> levels, List<RouteDescriptor> routes, SequencesDescriptor sequences,
        List<LeakDescriptor> leaks, long events, int transfersInFlight, ConfigurationDescriptor configuration,
        @Nullable ClusterDescriptor cluster) {

    static ManagerDescriptor of(KvBlockManager manager, @Nullable KvbmCluster cluster) {
        return new ManagerDescriptor(Long.toUnsignedString(manager.workerId()), manager.fingerprint().toString(),
                ModelDescriptor.of(manager.model()), manager.pools().stream().map(LevelDescriptor::of).toList(),
                manager.tiering().map(RouteDescriptor::of).orElse(List.of()), SequencesDescriptor.of(manager),
                manager.leaks().stream().map(LeakDescriptor::of).toList(), manager.events().nextSequence(),
                manager.transfers().inFlight(), ConfigurationDescriptor.of(manager.config(), cluster),
                manager.peering().map(peering -> ClusterDescriptor.of(peering, cluster)).orElse(null));
    }

    /**
     * Other instances.
     *
     * @param epoch when this instance was started, in wall milliseconds
     * @param publication whether others find this instance in the catalog; null where nobody looks
     * @param addresses addresses that are watched
     * @param disputed worker ids that more than one instance has
     * @param refusals questions that others did not answer as they should
     * @param rejected questions of others that were turned away
     * @param nixl which NIXL is used and how, or why none is; null where nobody looks
     * @param peers the instances that are known
     * @param index what peers are believed to hold
     * @param taken what became of blocks that the index proposed
     * @param leases what is held for others
     */
    public record ClusterDescriptor(String epoch, KvbmCluster.@Nullable Publication publication, int addresses,
            List<String> disputed, long refusals, long rejected, @Nullable String nixl, List<PeerDescriptor> peers,
            PeerIndexStats index, TakeStats taken, LeaseStats leases) {

        static ClusterDescriptor of(Peering peering, @Nullable KvbmCluster cluster) {
            return new ClusterDescriptor(Long.toUnsignedString(peering.local().epoch()),
                    cluster == null ? null : cluster.publication(), cluster == null ? 0 : cluster.addresses(),
                    cluster == null ? List.of()
                            : cluster.disputed().stream().map(Long::toUnsignedString).sorted().toList(),
                    cluster == null ? 0 : cluster.refusals(), cluster == null ? 0 : cluster.rejected(),
                    cluster == null ? null : cluster.nixl(),
                    peering.peers().stream().map(peer -> PeerDescriptor.of(peering, peer)).toList(),
                    peering.index().stats(), peering.taker().stats(), peering.leases().stats());
        }
    }

    /**
     * Another instance.
     *
     * @param workerId its number, an unsigned decimal
     * @param epoch when it was started, in wall milliseconds
     * @param state how far it can be relied on
     * @param paused whether it is left alone after failures
     * @param transport how its blocks are read: {@code same-host}, {@code nixl}, or {@code none}
     * @param sameModel whether what it holds can be of use here
     * @param blocksKnown blocks that it is believed to hold
     * @param blocksTaken blocks read from it
     * @param bytesTaken their bytes
     * @param misses reads that ended early, by reason
     */
    public record PeerDescriptor(String workerId, String epoch, PeerState state, boolean paused, String transport,
            boolean sameModel, long blocksKnown, long blocksTaken, long bytesTaken, Map<ReadOutcome, Long> misses) {

        static PeerDescriptor of(Peering peering, Peer peer) {
            PeerStats stats = peer.stats();
            return new PeerDescriptor(Long.toUnsignedString(peer.workerId()), Long.toUnsignedString(peer.epoch()),
                    peer.state(), peer.isPaused(), transport(peer), peer.hits(),
                    peering.index().blocks(peer.workerId()), stats.blocksRead(), stats.bytesRead(),
                    new TreeMap<>(stats.misses()));
        }

        private static String transport(Peer peer) {
            if (peer.isMapped()) {
                return "same-host";
            }
            return peer.isReadable() ? "nixl" : "none";
        }
    }

    /**
     * The geometry of a block.
     *
     * @param layers transformer layers
     * @param outer regions per layer
     * @param pageSize tokens per block
     * @param innerDim elements per token in one region
     * @param dtype element type
     * @param identity how blocks are identified
     */
    public record ModelDescriptor(int layers, int outer, int pageSize, int innerDim, String dtype, String identity) {

        static ModelDescriptor of(KvManagerModelConfig model) {
            return new ModelDescriptor(model.numLayers(), model.outerDim(), model.pageSize(), model.innerDim(),
                    model.dtype().name(), model.identityKind().name());
        }
    }

    /**
     * A level.
     *
     * @param tier its name
     * @param lost whether its memory is gone with the GPU that it was on
     * @param blockBytes bytes of data in a block
     * @param memory where the blocks lie
     * @param hitRate blocks returned by prefix matches over identities asked for, since the start
     * @param stats its counts
     */
    public record LevelDescriptor(String tier, boolean lost, long blockBytes, MemoryDescriptor memory, double hitRate,
            PoolStats stats) {

        static LevelDescriptor of(BlockPool pool) {
            PoolStats stats = pool.stats();
            BlockSet blocks = pool.blocks();
            return new LevelDescriptor(blocks.level().tier(), blocks.isLost(), blocks.layout().bytesPerBlock(),
                    MemoryDescriptor.of(blocks), rate(stats.matchBlocksReturned(), stats.matchHashesRequested()),
                    stats);
        }
    }

    /**
     * A way between two levels.
     *
     * @param from the tier that blocks are copied from
     * @param to the tier that they are copied to
     * @param stats what has become of them
     */
    public record RouteDescriptor(String from, String to, RouteStats stats) {

        static List<RouteDescriptor> of(Tiering tiering) {
            return Stream.of(Route.values())
                    .map(route -> new RouteDescriptor(route.from().tier(), route.to().tier(), tiering.stats(route)))
                    .toList();
        }
    }

    /**
     * The memory of a level.
     *
     * @param kind {@code system}, {@code pinned}, which is for the GPU to reach, or {@code device}
     * @param bytes its size
     * @param reservedBytes those of them that the system has backed
     * @param layout how blocks are laid out
     * @param shared whether other processes may read it
     * @param pages the pages that host memory is made of
     */
    public record MemoryDescriptor(String kind, long bytes, long reservedBytes, String layout, boolean shared,
            String pages) {

        static MemoryDescriptor of(BlockSet blocks) {
            List<MemoryRange> ranges = blocks.ranges();
            return new MemoryDescriptor(kind(blocks.storageType()),
                    ranges.stream().mapToLong(MemoryRange::size).sum(),
                    ranges.stream().mapToLong(MemoryRange::reservedBytes).sum(), blocks.layout().type().name(),
                    ranges.stream().allMatch(MemoryRange::shared), ranges.getFirst().pages().name());
        }

        private static String kind(StorageType type) {
            return type.getClass().getSimpleName().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * What requests asked for since the start.
     *
     * @param open sequences that are open
     * @param opened sequences opened
     * @param leaked sequences that were never closed
     * @param tokensRequested tokens that sequences were opened with
     * @param tokensReused those of them whose K/V was found
     * @param tokensFromPeers those of the reused ones whose K/V came from other instances
     * @param reuseRate their ratio
     * @param oldest those that have been open longest, at most {@value #MOST_OLDEST}
     */
    public record SequencesDescriptor(long open, long opened, long leaked, long tokensRequested, long tokensReused,
            long tokensFromPeers, double reuseRate, List<OpenDescriptor> oldest) {

        /** How many open sequences are shown one by one. */
        public static final int MOST_OLDEST = 16;

        static SequencesDescriptor of(KvBlockManager manager) {
            ManagerStats stats = manager.stats();
            return new SequencesDescriptor(stats.openSequences(), stats.sequencesOpened(), stats.sequencesLeaked(),
                    stats.tokensRequested(), stats.tokensReused(), stats.tokensFromPeers(),
                    rate(stats.tokensReused(), stats.tokensRequested()),
                    manager.openSequences().stream().limit(MOST_OLDEST).map(OpenDescriptor::of).toList());
        }
    }

    /**
     * A sequence that is open.
     *
     * @param ageMillis how long
     * @param blocks how many blocks it holds
     * @param openedBy the thread that has opened it
     */
    public record OpenDescriptor(long ageMillis, int blocks, String openedBy) {

        static OpenDescriptor of(OpenSequence sequence) {
            return new OpenDescriptor(sequence.age().toMillis(), sequence.blocks(), sequence.openedBy());
        }
    }

    /**
     * Something that was never closed.
     *
     * @param what a sequence, or handles of a level
     * @param blocks how many blocks it held
     * @param ageMillis how long ago they were taken back
     * @param site the calls by which it was opened, innermost first; empty where they were not noted
     */
    public record LeakDescriptor(String what, int blocks, long ageMillis, List<String> site) {

        static LeakDescriptor of(Leak leak) {
            return new LeakDescriptor(leak.what(), leak.blocks(), leak.age().toMillis(), leak.site());
        }
    }

    /**
     * What the manager was made with, whoever said so. Durations are as ISO 8601 has them.
     *
     * @param reuse which block that nobody holds is reused first
     * @param leakDetection how much is noted to find what is never closed
     * @param eventCapacity events kept for slow listeners
     * @param transferTimeout within which a transfer has to be over
     * @param checkTransferAddresses whether all addresses of every transfer are compared
     * @param offloadPendingBlocks blocks that may wait to be copied to host memory
     * @param offloadBatchBlocks blocks that are copied to host memory at once
     * @param onboardTimeout that opening a sequence may wait for its blocks to be copied to the GPU
     * @param sharing what is done with other instances; null where nothing is shared
     * @param cluster the times by which they are known; null where nothing is shared or nobody looks
     */
    public record ConfigurationDescriptor(String reuse, String leakDetection, int eventCapacity, String transferTimeout,
            boolean checkTransferAddresses, int offloadPendingBlocks, int offloadBatchBlocks, String onboardTimeout,
            @Nullable SharingDescriptor sharing, @Nullable TimesDescriptor cluster) {

        static ConfigurationDescriptor of(KvBlockManagerConfig config, @Nullable KvbmCluster cluster) {
            TierLimits tier = config.tierLimits();
            return new ConfigurationDescriptor(config.reusePolicy().name(), config.leakDetection().name(),
                    config.eventCapacity(), config.transferTimeout().toString(), config.checkTransferAddresses(),
                    tier.pendingBlocks(), tier.batchBlocks(), tier.onboardTimeout().toString(),
                    config.sharing() == null ? null : SharingDescriptor.of(config.sharing()),
                    config.sharing() == null || cluster == null ? null : TimesDescriptor.of(cluster.times()));
        }
    }

    /**
     * What is done with other instances.
     *
     * @param transports how blocks are read from others, the first that reaches them: {@code same-host}, {@code nixl}
     * @param checksums of which blocks checksums are computed and compared
     * @param takeTimeout that opening a sequence may spend on taking blocks
     * @param peers of how many instances blocks are known at most
     * @param blocksInFlight blocks that may be on their way from or to one instance
     * @param leasesPerWorker leases that one instance may have
     * @param readPercent of a level's blocks that may be leased to be read
     * @param quarantinePercent of a level's blocks that may be held as their writer is not known to have done
     */
    public record SharingDescriptor(List<String> transports, String checksums, String takeTimeout, int peers,
            int blocksInFlight, int leasesPerWorker, int readPercent, int quarantinePercent) {

        static SharingDescriptor of(KvManagerSharingConfig sharing) {
            PeerLimits peers = sharing.limits().peers();
            LeaseLimits leases = sharing.limits().leases();
            return new SharingDescriptor(transports(sharing), sharing.checksums().name(),
                    sharing.takeTimeout().toString(), peers.peers(), peers.blocksInFlight(), leases.leasesPerWorker(),
                    leases.readPercent(), leases.quarantinePercent());
        }

        private static List<String> transports(KvManagerSharingConfig sharing) {
            List<String> transports = new ArrayList<>();
            if (!sharing.memories().equals(PeerMemory.Source.NONE)) {
                transports.add("same-host");
            }
            if (sharing.transport() != null) {
                transports.add("nixl");
            }
            return transports;
        }
    }

    /**
     * The times by which other instances are known.
     *
     * @param pollInterval between two looks into the catalog
     * @param askInterval between two questions to an instance that answers
     * @param timeout within which an answer has to be there
     * @param deadAfter without an answer, after which an instance is let go
     * @param absentAfter after which an instance is let go that answers but is in no catalog
     */
    public record TimesDescriptor(String pollInterval, String askInterval, String timeout, String deadAfter,
            String absentAfter) {

        static TimesDescriptor of(KvbmCluster.Times times) {
            return new TimesDescriptor(times.pollInterval().toString(), times.askInterval().toString(),
                    times.timeout().toString(), times.deadAfter().toString(), times.absentAfter().toString());
        }
    }

    private static double rate(long part, long whole) {
        return whole == 0 ? 0 : (double) part / whole;
    }
}
