package io.kvbm.spring.boot.actuate;

import java.util.List;

import org.springframework.boot.actuate.endpoint.Access;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;

import io.kvbm.KvBlockManager;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.ManagerStats;
import io.kvbm.block.BlockSet;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.PoolStats;
import io.kvbm.storage.MemoryRange;

/** The block manager at this moment: sizes and counters, never content, tokens, or whether a prompt is cached. */
@Endpoint(id = "kvbm", defaultAccess = Access.READ_ONLY)
public final class KvbmEndpoint {

    private final KvBlockManager manager;

    KvbmEndpoint(KvBlockManager manager) {
        this.manager = manager;
    }

    /** The block manager at this moment. */
    @ReadOperation
    public ManagerDescriptor manager() {
        return new ManagerDescriptor(Long.toUnsignedString(manager.workerId()), manager.fingerprint().toString(),
                ModelDescriptor.of(manager.model()), manager.pools().stream().map(LevelDescriptor::of).toList(),
                SequencesDescriptor.of(manager.stats()), manager.events().nextSequence(),
                manager.transfers().inFlight());
    }

    /**
     * The block manager.
     *
     * @param workerId this instance among all workers, an unsigned decimal
     * @param fingerprint what makes content interchangeable with other workers
     * @param model the geometry of a block
     * @param levels levels of memory, nearest first
     * @param sequences what requests asked for
     * @param events events published; there are none while nobody listens
     * @param transfersInFlight transfers under way
     */
    public record ManagerDescriptor(String workerId, String fingerprint, ModelDescriptor model,
            List<LevelDescriptor> levels, SequencesDescriptor sequences, long events, int transfersInFlight) {}

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
     * @param blockBytes bytes of data in a block
     * @param memory where the blocks lie
     * @param hitRate blocks returned by prefix matches over identities asked for, since the start
     * @param stats its counts
     */
    public record LevelDescriptor(String tier, long blockBytes, MemoryDescriptor memory, double hitRate,
            PoolStats stats) {

        static LevelDescriptor of(BlockPool pool) {
            PoolStats stats = pool.stats();
            BlockSet blocks = pool.blocks();
            return new LevelDescriptor(blocks.level().tier(), blocks.layout().bytesPerBlock(),
                    MemoryDescriptor.of(blocks), rate(stats.matchBlocksReturned(), stats.matchHashesRequested()),
                    stats);
        }
    }

    /**
     * The memory of a level.
     *
     * @param bytes its size
     * @param reservedBytes those of them that the system has backed
     * @param layout how blocks are laid out
     * @param shared whether other processes may read it
     * @param pages the pages it is made of
     */
    public record MemoryDescriptor(long bytes, long reservedBytes, String layout, boolean shared, String pages) {

        static MemoryDescriptor of(BlockSet blocks) {
            List<MemoryRange> ranges = blocks.ranges();
            return new MemoryDescriptor(ranges.stream().mapToLong(MemoryRange::size).sum(),
                    ranges.stream().mapToLong(MemoryRange::reservedBytes).sum(), blocks.layout().type().name(),
                    ranges.stream().allMatch(MemoryRange::shared), ranges.getFirst().pages().name());
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
     * @param reuseRate their ratio
     */
    public record SequencesDescriptor(long open, long opened, long leaked, long tokensRequested, long tokensReused,
            double reuseRate) {

        static SequencesDescriptor of(ManagerStats stats) {
            return new SequencesDescriptor(stats.openSequences(), stats.sequencesOpened(), stats.sequencesLeaked(),
                    stats.tokensRequested(), stats.tokensReused(),
                    rate(stats.tokensReused(), stats.tokensRequested()));
        }
    }

    private static double rate(long part, long whole) {
        return whole == 0 ? 0 : (double) part / whole;
    }
}
