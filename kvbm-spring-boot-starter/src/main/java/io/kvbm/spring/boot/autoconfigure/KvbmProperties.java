package io.kvbm.spring.boot.autoconfigure;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.LeakDetection;
import io.kvbm.pool.ReusePolicy;
import io.kvbm.remote.ChecksumMode;
import io.kvbm.token.IdentityKind;

/**
 * Settings of the KV-cache block manager.
 *
 * @param enabled Whether to make a block manager.
 * @param workerId Number of this instance among all workers, an unsigned 64-bit decimal. Random at each start unless set.
 * @param identity How blocks are identified. XXH3 is for trusted input only.
 * @param reuse Which block that nobody holds is reused first.
 * @param leakDetection How many of the calls that open block handles have a leak net below them, and of how many
 *        sequences it is noted where they were opened.
 * @param model Model whose K/V is cached.
 * @param host Host memory, level G2.
 * @param device GPU memory, level G1.
 * @param tier Copies between the levels.
 * @param events Log of what happens to blocks.
 * @param transfer Copies between blocks.
 * @param shutdown What happens when the application stops.
 * @param cluster Other instances of the service, found through Spring Cloud discovery.
 * @param nixl NIXL, by which blocks cross between hosts.
 */
@ConfigurationProperties("kvbm")
public record KvbmProperties(@DefaultValue("true") boolean enabled, @Nullable String workerId,
        @Nullable IdentityKind identity, @DefaultValue("lineage") ReusePolicy reuse,
        @DefaultValue("sampled") LeakDetection leakDetection, @DefaultValue Model model, @DefaultValue Host host,
        @DefaultValue Device device, @DefaultValue Tier tier, @DefaultValue Events events,
        @DefaultValue Transfer transfer, @DefaultValue Shutdown shutdown,
        @DefaultValue Cluster cluster, @DefaultValue Nixl nixl) {

    /**
     * The model, unless the application supplies a {@link io.kvbm.token.ModelIdentity} bean.
     *
     * @param id Name of the model. Required as soon as blocks are shared with other instances.
     * @param revision Revision of the weights. Goes with the name.
     * @param adapter Name and revision of an adapter applied to the weights.
     * @param dtype Element type of K and V.
     * @param layers Transformer layers.
     * @param outer Regions per layer, 2 for separate K and V and 1 for a single one.
     * @param heads K/V heads that this instance holds.
     * @param headDim Elements per head and token.
     * @param headOrder Order of heads and tokens in a block.
     * @param pageSize Tokens per block.
     * @param rankLayout Part of the model that this instance holds, if it is split over several.
     */
    public record Model(@Nullable String id, @Nullable String revision, @Nullable String adapter,
            @Nullable DType dtype, @Nullable Integer layers, @Nullable Integer outer, @Nullable Integer heads,
            @Nullable Integer headDim, @Nullable HeadOrder headOrder, @Nullable Integer pageSize,
            @Nullable String rankLayout) {}

    /**
     * The host level.
     *
     * @param blocks Number of blocks. Either this or the size is set.
     * @param size Memory for blocks, rounded down to whole ones. Either this or the number of blocks is set.
     * @param layout How blocks are laid out.
     * @param alignment Bytes to which the start of every block is aligned, a power of two.
     * @param hugePages Whether to use huge pages where the system has any.
     * @param shared Whether other processes of the same user may read the memory.
     */
    public record Host(@Nullable Integer blocks, @Nullable DataSize size,
            @DefaultValue("fully-contiguous") LayoutType layout, @DefaultValue("1") int alignment,
            @DefaultValue("true") boolean hugePages, @DefaultValue("true") boolean shared) {}

    /**
     * The device level.
     *
     * @param enabled Whether to keep blocks on a GPU; if so, a start without one fails. Unless set, they are where a size or number of blocks is set and a GPU can be used.
     * @param ordinal Which GPU, counted from 0 as CUDA does.
     * @param blocks Number of blocks. Either this or the size is set.
     * @param size Memory for blocks, rounded down to whole ones. Either this or the number of blocks is set.
     * @param layout How blocks are laid out.
     * @param alignment Bytes to which the start of every block is aligned, a power of two.
     * @param headOrder Order of heads and tokens in a block there, as the engine's kernels have it. The model's unless set.
     */
    public record Device(@Nullable Boolean enabled, @DefaultValue("0") int ordinal, @Nullable Integer blocks,
            @Nullable DataSize size, @DefaultValue("fully-contiguous") LayoutType layout,
            @DefaultValue("1") int alignment, @Nullable HeadOrder headOrder) {}

    /**
     * Copies between the device level and the host level.
     *
     * @param offloadPendingBlocks Blocks that may wait to be copied to host memory. What is computed while so many wait is not copied.
     * @param offloadBatchBlocks Blocks that are copied to host memory at once.
     * @param onboardTimeout Time that opening a sequence may wait for its blocks to be copied to the GPU. What has not come is computed.
     */
    public record Tier(@DefaultValue("4096") int offloadPendingBlocks, @DefaultValue("128") int offloadBatchBlocks,
            @DefaultValue("1s") Duration onboardTimeout) {}

    /**
     * The event log.
     *
     * @param capacity Number of events kept for slow listeners, a power of two.
     */
    public record Events(@DefaultValue("65536") int capacity) {}

    /**
     * Transfers.
     *
     * @param timeout Time within which a transfer has to be over.
     * @param checkAddresses Whether to compare all addresses of every transfer, which is slow.
     */
    public record Transfer(@DefaultValue("30s") Duration timeout, @DefaultValue("false") boolean checkAddresses) {}

    /**
     * The end.
     *
     * @param delay Time for which everything is still answered between leaving and the web server's stop. Unless set, 2s as long as another instance shares blocks, and none otherwise.
     * @param drainTimeout Time to wait for open sequences and handles before the manager is closed all the same.
     */
    public record Shutdown(@Nullable Duration delay, @DefaultValue("10s") Duration drainTimeout) {}

    /**
     * The cluster.
     *
     * @param enabled Whether to share blocks with other instances, where a discovery client and a web server are there.
     * @param service Name of the service whose instances share blocks. The application's name unless set.
     * @param key Secret of at least 32 characters, the same on all instances, with which they sign what they ask each other. Without one, and without kvbm.cluster.ssl-bundle, only questions over the loopback address are answered.
     * @param insecure Whether to answer everybody without a key.
     * @param sslBundle SSL bundle with which all other instances are asked, over TLS. Without a key, instances are answered whose certificate its trust store leads to, and no others.
     * @param path Path at which other instances ask this one.
     * @param pollInterval Time between two looks into the catalog.
     * @param askInterval Time between two questions to an instance that answers.
     * @param timeout Time to wait for an answer.
     * @param deadAfter Time without an answer after which an instance is let go.
     * @param absentAfter Time after which an instance is let go that answers but is in no catalog.
     * @param takeTimeout Time that opening a sequence may spend on taking blocks from other instances.
     * @param checksums Of which blocks checksums are computed, and compared when they are taken.
     * @param transport How blocks are read from other instances, and put into their memory.
     */
    public record Cluster(@DefaultValue("true") boolean enabled, @Nullable String service, @Nullable String key,
            @DefaultValue("false") boolean insecure, @Nullable String sslBundle, @DefaultValue("/kvbm") String path,
            @DefaultValue("1s") Duration pollInterval, @DefaultValue("1s") Duration askInterval,
            @DefaultValue("2s") Duration timeout, @DefaultValue("6s") Duration deadAfter,
            @DefaultValue("60s") Duration absentAfter, @DefaultValue("1s") Duration takeTimeout,
            @DefaultValue("sampled") ChecksumMode checksums, @DefaultValue("auto") Transport transport) {}

    /** How blocks are read from other instances, and put into their memory. */
    public enum Transport {
        /** Out of their memory where they are on this host, by NIXL else. */
        AUTO,
        /** By NIXL, wherever they are: for containers that do not see each other's processes, and to try it. */
        NIXL,
        /** Out of their memory, and so on this host only. */
        SAME_HOST
    }

    /**
     * NIXL.
     *
     * @param enabled Whether to load NIXL; if so, a start without it fails. Unless set, it is loaded where it is found and instances on other hosts may ask, which takes kvbm.cluster.key, kvbm.cluster.ssl-bundle or kvbm.cluster.insecure.
     * @param libraryPath Where NIXL is, as a file, its folder, a folder of Python packages, or a virtual environment. Unless set, KVBM_NIXL_LIBRARY_PATH and the usual places are searched.
     * @param backend Plugin of NIXL that moves the bytes.
     * @param parameters Parameters of the plugin that are to differ from its own.
     * @param progressThread Whether a thread of NIXL's own moves what other instances ask for.
     */
    public record Nixl(@Nullable Boolean enabled, @Nullable Path libraryPath, @DefaultValue("UCX") String backend,
            @DefaultValue Map<String, String> parameters, @DefaultValue("false") boolean progressThread) {}
}
