package io.kvbm;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.ToIntFunction;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockSet;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.block.SlotBoard;
import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.error.FirstFailure;
import io.kvbm.error.KvbmException;
import io.kvbm.error.Releases;
import io.kvbm.event.EventLog;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.BlockPoolBuilder;
import io.kvbm.pool.Leak;
import io.kvbm.pool.LeakReport;
import io.kvbm.remote.BlockChecksums;
import io.kvbm.remote.Blockset;
import io.kvbm.remote.ChecksumMode;
import io.kvbm.remote.EventJournal;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.LocalWorker;
import io.kvbm.remote.Peer;
import io.kvbm.remote.Peering;
import io.kvbm.remote.PutRequest;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;
import io.kvbm.tier.Tiering;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.ContentFingerprint;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.ModelIdentity;
import io.kvbm.transfer.RemoteTransport;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferEngine;
import io.kvbm.transfer.TransferStrategy;

/**
 * The KV cache of one inference process: its levels of memory, the blocks in them, and the sequences that use them.
 *
 * <p>
 * An engine opens a {@link KvSequence} per request. The pools, handles and transfers beneath it are public for whoever
 * needs more. Closing the manager refuses new requests; open handles stay readable and the memory goes with the last of
 * them.
 */
public final class KvBlockManager implements AutoCloseable {

    /** The block set of the host level. Sets have fixed numbers, whichever levels there are. */
    public static final int HOST_BLOCK_SET = 1;

    /** The block set of the device level. */
    public static final int DEVICE_BLOCK_SET = 2;

    private final KvBlockManagerConfig config;
    private final long workerId;
    private final ContentFingerprint fingerprint;
    private final KvManagerModelConfig model;
    private final @Nullable BlockPool host;
    private final @Nullable BlockPool device;
    private final @Nullable Tiering tiering;
    private final EventLog events;
    private final TransferDispatcher transfers;
    private final MonotonicClock clock;
    private final Duration takeTimeout;
    private final Duration onboardTimeout;
    private final @Nullable Peering peering;
    private final LeakReport leaks;
    private final Sequences sequences;
    private final CancellationToken cancellation;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();

    private final AtomicBoolean deviceCleared = new AtomicBoolean();
    private volatile boolean withdrawn;
    private volatile boolean draining;

    /**
     * Makes a manager that works at once with the blocks whose memory is there, while the rest is reserved in the
     * background; {@link #ready()} tells when all of it is.
     *
     * @throws ConfigException where the configuration contradicts itself
     * @throws io.kvbm.error.LayoutException where the layout is impossible or its memory cannot be had
     */
    public KvBlockManager(KvBlockManagerConfig config) {
        this.config = config;
        this.workerId = config.runtime().workerId();
        this.model = config.model();
        this.fingerprint = fingerprint(config);
        this.clock = config.clock();
        this.leaks = new LeakReport(clock);
        this.sequences = new Sequences(clock, config.leakDetection(), leaks);
        this.takeTimeout = config.sharing() == null ? Duration.ZERO : config.sharing().takeTimeout();
        this.onboardTimeout = config.tierLimits().onboardTimeout();
        this.events = new EventLog(config.eventCapacity(), config.eventDelivery());
        this.transfers = dispatcher(config);
        Releases made = new Releases();
        made.add(events::close);
        made.add(transfers::close);
        try {
            this.host = config.hostLayout() == null ? null : hostPool(config, config.hostLayout());
            if (host != null) {
                made.add(host::close);
            }
            this.device = config.deviceLayout() == null ? null : devicePool(config, config.deviceLayout());
            if (device != null) {
                made.add(device::close);
            }
            this.tiering = host == null || device == null ? null
                    : new Tiering(device, host, transfers, config.tierLimits(), config.transferTimeout(), clock,
                            config.transferObserver());
            this.peering = config.sharing() == null ? null : peering(config, config.sharing());
        } catch (RuntimeException | Error e) {
            made.closeAfter(e);
            throw e;
        }
        var _ = CompletableFuture
                .allOf(pools().stream()
                        .map(pool -> pool.reserved().toCompletableFuture())
                        .toArray(CompletableFuture[]::new))
                .whenComplete((_, failure) -> {
                    if (failure == null) {
                        ready.complete(null);
                    } else {
                        ready.completeExceptionally(cause(failure));
                    }
                });
        this.cancellation = config.runtime().cancellationToken().child();
        cancellation.onCancel(this::release);
    }

    private static TransferDispatcher dispatcher(KvBlockManagerConfig config) {
        TransferDispatcher.Builder dispatcher = TransferDispatcher.builder()
                .clock(config.clock())
                .timeout(config.transferTimeout())
                .checkAddresses(config.checkTransferAddresses());
        config.engines().forEach(dispatcher::engine);
        return dispatcher.build();
    }

    /**
     * Makes a manager and waits until all of its memory is there.
     *
     * @throws ConfigException where the configuration contradicts itself
     * @throws io.kvbm.error.LayoutException where the layout is impossible or its memory cannot be had at once
     * @throws io.kvbm.error.StorageException where the operating system refused memory while it was reserved
     */
    public static KvBlockManager create(KvBlockManagerConfig config) {
        KvBlockManager manager = new KvBlockManager(config);
        try {
            manager.ready.join();
        } catch (RuntimeException e) {
            manager.close();
            throw cause(e) instanceof KvbmException failure ? failure : e;
        }
        return manager;
    }

    private static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }

    /** Makes a manager in another thread; the stage completes when all of its memory is there. */
    public static CompletionStage<KvBlockManager> createAsync(KvBlockManagerConfig config) {
        CompletableFuture<KvBlockManager> made = new CompletableFuture<>();
        Thread.ofPlatform().name("kvbm-create").daemon().start(() -> {
            try {
                made.complete(create(config));
            } catch (RuntimeException | Error e) {
                made.completeExceptionally(e);
            }
        });
        return made;
    }

    /** Completes when the memory of every block is there, exceptionally where the operating system refused some. */
    public CompletionStage<Void> ready() {
        return ready.minimalCompletionStage();
    }

    /**
     * Opens a sequence for a request: finds what is cached of its tokens and takes blocks for the rest.
     *
     * @param tokens the prompt
     * @param tenant whose cache it uses; nothing is ever shared between tenants; empty where there is only one
     * @throws io.kvbm.error.PoolException {@code NOT_ENOUGH_BLOCKS} where the level is full for now,
     *         {@code REQUEST_TOO_LARGE} where it never has as many blocks
     * @throws ClosedException after {@link #drain} or {@link #close}
     */
    public KvSequence open(int[] tokens, String tenant) {
        return KvSequence.open(this, tokens, tenant);
    }

    /**
     * Opens a sequence, waiting for blocks if need be.
     *
     * @throws io.kvbm.error.PoolException {@code DEADLINE_EXCEEDED} where they did not become available in time
     * @throws InterruptedException where the thread was interrupted; nothing was taken
     */
    public KvSequence open(int[] tokens, String tenant, Duration timeout) throws InterruptedException {
        return KvSequence.open(this, tokens, tenant, timeout);
    }

    /** The pool of the host level (G2); empty where none is configured. */
    public Optional<BlockPool> host() {
        return Optional.ofNullable(host);
    }

    /** The pool of the device level (G1); empty without a GPU. */
    public Optional<BlockPool> device() {
        return Optional.ofNullable(device);
    }

    /** What copies blocks between the levels; empty where there is only one. */
    public Optional<Tiering> tiering() {
        return Optional.ofNullable(tiering);
    }

    /** All pools, nearest level first. */
    public List<BlockPool> pools() {
        return Stream.of(device, host).filter(Objects::nonNull).toList();
    }

    /** The worker's number, unsigned. */
    public long workerId() {
        return workerId;
    }

    /** What makes content interchangeable with other workers. */
    public ContentFingerprint fingerprint() {
        return fingerprint;
    }

    /** The geometry of the K/V in a block. */
    public KvManagerModelConfig model() {
        return model;
    }

    /** What it was made with. */
    public KvBlockManagerConfig config() {
        return config;
    }

    /** What has happened to the blocks of all levels. */
    public EventLog events() {
        return events;
    }

    /** What has to do with other workers; empty where nothing is shared. */
    public Optional<Peering> peering() {
        return Optional.ofNullable(peering);
    }

    /**
     * What this worker exports, for others to import.
     *
     * @throws ConfigException {@code MISSING} where nothing is shared
     */
    public Blockset exportBlockset() {
        return requirePeering().blockset();
    }

    /**
     * Learns what another worker exports, to read its blocks by hand; see {@link Peering#importBlockset}.
     *
     * @throws io.kvbm.error.RemoteException where it is refused; nothing has changed then
     * @throws ConfigException {@code MISSING} where nothing is shared
     */
    public Peer importBlockset(Blockset blockset) {
        return requirePeering().importBlockset(blockset, null);
    }

    /** The blocks of another worker that a descriptor list names, to be written. */
    public List<RemoteBlock> getRemoteBlocksMutable(BlockDescriptorList list) {
        return requirePeering().mutable(list);
    }

    /** The blocks of another worker that a descriptor list names, to be read. */
    public List<RemoteBlock> getRemoteBlocksImmutable(BlockDescriptorList list) {
        return requirePeering().immutable(list);
    }

    /** Fetches blocks from another worker, in the calling thread; see {@link io.kvbm.remote.RemoteTransfers#get}. */
    public void get(GetRequest request) {
        Peering remote = requirePeering();
        transfers.execute(control -> remote.transfers().get(request, control));
    }

    /** Puts blocks into another worker, in the calling thread; see {@link io.kvbm.remote.RemoteTransfers#put}. */
    public void put(PutRequest request) {
        Peering remote = requirePeering();
        transfers.execute(control -> remote.transfers().put(request, control));
    }

    private Peering requirePeering() {
        if (peering == null) {
            throw new ConfigException(ConfigException.Kind.MISSING, "Worker " + Long.toUnsignedString(workerId)
                    + " shares nothing; configure sharing to have to do with other workers");
        }
        return peering;
    }

    /** Moves bytes between blocks. */
    public TransferDispatcher transfers() {
        return transfers;
    }

    /** What sequences have asked for. */
    public ManagerStats stats() {
        return sequences.stats();
    }

    /** The sequences that are open, the oldest first. */
    public List<OpenSequence> openSequences() {
        return sequences.open();
    }

    /** The last of what was never closed and was taken back, the newest first. */
    public List<Leak> leaks() {
        return leaks.leaks();
    }

    Sequences sequences() {
        return sequences;
    }

    /**
     * Makes every block of every level unfindable. Blocks that are held stay readable and become free with their last
     * handle; what open sequences register later is found again, and so is what is copied up to a GPU or taken from a peer
     * at that moment. What other workers hold stays theirs. With two levels it waits for what is offloaded.
     *
     * @return the number of blocks that were registered, on each level
     * @throws ClosedException after {@link #close}
     * @throws io.kvbm.error.TransferException {@code DEADLINE_EXCEEDED} where what is offloaded takes longer than a
     *         transfer may; all is cleared as soon as it ends
     */
    public int clear() {
        return clear(BlockPool::clear);
    }

    /**
     * Makes every block of a tenant unfindable, on every level, as {@link #clear()} does for all.
     *
     * @return the number of blocks that were registered, on each level
     * @throws ClosedException after {@link #close}
     * @throws io.kvbm.error.TransferException as {@link #clear()}
     */
    public int clear(String tenant) {
        long salt = chain(tenant).saltHash();
        return clear(pool -> pool.clear(salt));
    }

    private int clear(ToIntFunction<BlockPool> clearing) {
        return tiering == null ? pools().stream().mapToInt(clearing).sum() : tiering.clear(clearing);
    }

    /**
     * Says that this worker is about to leave, so that nobody new counts on it. Whoever uses it already goes on, and may
     * open sequences until it {@linkplain #drain drains}.
     */
    public void withdraw() {
        withdrawn = true;
        if (peering != null) {
            peering.drain();
        }
    }

    /** Whether this worker is about to leave, or leaving. */
    public boolean isWithdrawn() {
        return withdrawn || draining;
    }

    /**
     * Refuses new sequences and waits until the open handles are closed.
     *
     * @return false where the time ran out first
     */
    public boolean drain(Duration timeout) throws InterruptedException {
        withdraw();
        draining = true;
        long deadline = clock.nanoTime() + Math.min(TimeUnit.NANOSECONDS.convert(timeout), Long.MAX_VALUE / 2);
        for (BlockPool pool : pools()) {
            if (!pool.awaitIdle(Duration.ofNanos(Math.max(0, deadline - clock.nanoTime())))) {
                return false;
            }
        }
        return true;
    }

    /** Whether new sequences are refused because the manager is closing. */
    public boolean isDraining() {
        return draining;
    }

    /** Refuses new requests at once; the memory goes with the last open handle. Further calls do nothing. */
    @Override
    public void close() {
        cancellation.cancel();
    }

    private void release() {
        draining = true;
        FirstFailure failure = new FirstFailure();
        failure.attempt(transfers::close);
        if (peering != null) {
            failure.attempt(peering::close);
        }
        if (tiering != null) {
            failure.attempt(tiering::close);
        }
        pools().forEach(pool -> failure.attempt(pool::close));
        failure.attempt(events::close);
        failure.rethrow();
    }

    IdentityChain chain(String tenant) {
        return new IdentityChain(fingerprint, tenant, model.identityKind(), model.pageSize());
    }

    BlockPool sequencePool() {
        if (draining) {
            throw new ClosedException("The block manager of worker " + Long.toUnsignedString(workerId)
                    + " is closing; open sequences before it stops");
        }
        if (device != null && !device.blocks().isLost()) {
            return device;
        }
        if (device != null && deviceCleared.compareAndSet(false, true)) {
            device.clear(); // so that whoever is told of events knows
        }
        if (host == null) {
            throw device == null
                    ? new ConfigException(ConfigException.Kind.MISSING,
                            "No level of memory is configured; sequences need a host layout or a device layout")
                    : new ClosedException("The memory of " + device + " is lost, and there is no host level; restart"
                            + " the process to use it again");
        }
        return host;
    }

    /**
     * What was put in the place of blocks to be filled.
     *
     * @param blocks how many were replaced
     * @param fromPeers those of them, the last ones, whose content came from other workers
     */
    record Taken(int blocks, int fromPeers) {

        static final Taken NOTHING = new Taken(0, 0);
    }

    /** Puts what is held below, and what peers hold, of a sequence in the place of blocks to be filled. */
    Taken take(BlockPool pool, IdentityChain chain, int from, List<BlockHandle> blocks) {
        if (tiering == null || pool == host) {
            int taken = peering == null ? 0
                    : peering.taker().take(pool, chain, from, blocks, new TransferControl(clock, takeTimeout));
            return new Taken(taken, taken);
        }
        int held = tiering.onboard(chain, from, blocks, new TransferControl(clock, onboardTimeout));
        if (peering == null || held == blocks.size()) {
            return new Taken(held, 0);
        }
        int came = peering.taker()
                .takeInto(Objects.requireNonNull(host), chain, from + held, from + blocks.size(),
                        new TransferControl(clock, takeTimeout));
        if (came == 0) {
            return new Taken(held, 0);
        }
        int more = tiering.onboard(chain, from + held, blocks.subList(held, blocks.size()),
                new TransferControl(clock, onboardTimeout));
        return new Taken(held + more, Math.min(more, came));
    }

    /** Has what a sequence has found stay in the level below as well. */
    void found(BlockPool pool, IdentityChain chain, int blocks) {
        if (tiering != null && pool == device) {
            tiering.used(chain, blocks);
        }
    }

    /** Has registered blocks of a sequence copied to the level below, behind it. */
    void registered(BlockPool pool, List<ImmutableBlock> blocks, IdentityChain chain, int from) {
        if (tiering != null && pool == device) {
            tiering.offload(blocks, chain, from);
        }
    }

    /** Others take host memory as it is, in the order that the fingerprint says. */
    private BlockPool hostPool(KvBlockManagerConfig config, KvManagerLayoutConfig level) {
        if (level.headOrder() != null && level.headOrder() != model.headOrder()) {
            throw new ConfigException(ConfigException.Kind.INVALID, "headOrder of the host level is "
                    + level.headOrder() + " and the model's is " + model.headOrder()
                    + "; only the device level may have another one");
        }
        BlockMemory memory = memory(level);
        KvManagerSharingConfig sharing = config.sharing();
        Optional<SlotBoard> board = Optional.empty();
        try {
            BlockSet blocks = new BlockSet(memory, HOST_BLOCK_SET, workerId, CacheLevel.G2);
            BlockPoolBuilder pool = builder(config, blocks);
            if (sharing == null) {
                return pool.build();
            }
            register(memory, sharing);
            board = board(blocks, config.runtime().epoch(), sharing);
            board.ifPresent(pool::board);
            BlockPool shared = pool.build();
            board.ifPresent(stated -> check(blocks.level(), memory, stated, sharing.checksums()));
            return shared;
        } catch (RuntimeException | Error e) {
            board.ifPresent(SlotBoard::close);
            giveBack(level, memory);
            throw e;
        }
    }

    private BlockPool devicePool(KvBlockManagerConfig config, KvManagerLayoutConfig level) {
        BlockMemory memory = memory(level);
        try {
            requireReachable(memory.storageType(), config.engines());
            if (config.sharing() != null) {
                register(memory, config.sharing());
            }
            return builder(config, new BlockSet(memory, DEVICE_BLOCK_SET, workerId, CacheLevel.G1)).build();
        } catch (RuntimeException | Error e) {
            giveBack(level, memory);
            throw e;
        }
    }

    private static void requireReachable(StorageType type, List<TransferEngine> engines) {
        TransferStrategy within = TransferStrategy.write(type, type);
        if (within != TransferStrategy.MEMCPY && engines.stream().noneMatch(engine -> engine.supports(within))) {
            throw new ConfigException(ConfigException.Kind.MISSING, "The device level lies in memory of kind " + type
                    + " and nothing moves bytes to it; give an engine, such as a CudaEngine");
        }
    }

    private BlockMemory memory(KvManagerLayoutConfig level) {
        LayoutConfig layout = LayoutConfig.builder()
                .numBlocks(level.numBlocks())
                .numLayers(model.numLayers())
                .outerDim(model.outerDim())
                .pageSize(model.pageSize())
                .innerDim(model.innerDim())
                .alignment(level.alignment())
                .dtype(model.dtype())
                .heads(model.heads())
                .headOrder(level.headOrder() == null ? model.headOrder() : level.headOrder())
                .build();
        return level.allocator() != null ? BlockMemory.allocate(layout, level.layoutType(), level.allocator())
                : BlockMemory.over(BlockLayout.of(layout, level.layoutType()),
                        Objects.requireNonNull(level.storage()));
    }

    /** What the application has made stays its own where no manager is made of it. */
    private static void giveBack(KvManagerLayoutConfig level, BlockMemory memory) {
        if (level.allocator() != null) {
            memory.close();
        }
    }

    private BlockPoolBuilder builder(KvBlockManagerConfig config, BlockSet blocks) {
        return BlockPool.builder(blocks)
                .identity(model.identityKind())
                .reusePolicy(config.reusePolicy())
                .leakDetection(config.leakDetection())
                .leakReport(leaks)
                .events(events)
                .clock(config.clock());
    }

    private static void register(BlockMemory memory, KvManagerSharingConfig sharing) {
        RemoteTransport transport = sharing.transport();
        if (transport != null) {
            memory.storages().forEach(transport::register);
        }
    }

    private static Optional<SlotBoard> board(BlockSet blocks, long epoch, KvManagerSharingConfig sharing) {
        return SlotBoard.create(blocks, epoch,
                new SlotBoard.Nonce(sharing.random().nextLong(), sharing.random().nextLong()));
    }

    private void check(CacheLevel level, BlockMemory memory, SlotBoard board, ChecksumMode checksums) {
        if (checksums != ChecksumMode.OFF) {
            events.subscribe("checksums", new BlockChecksums(level, memory, board, checksums));
        }
    }

    private Peering peering(KvBlockManagerConfig config, KvManagerSharingConfig sharing) {
        LocalWorker local = new LocalWorker(workerId, config.runtime().epoch(), fingerprint,
                host == null ? Map.of() : Map.of(CacheLevel.G2, host.blocks().layout().config()));
        EventJournal journal = EventJournal.open(workerId, local.epoch(), host == null ? List.of() : List.of(host),
                events,
                config.eventCapacity());
        List<BlockPool> exported = pools().stream()
                .filter(pool -> pool.blocks().layout().headOrder() == model.headOrder())
                .toList();
        return new Peering(local, exported, journal, sharing.limits(), sharing.memories(), sharing.transport(),
                config.clock(), sharing.random(), config.transferTimeout(), config.transferObserver());
    }

    /** A model without a name shares nothing, so its fingerprint is this worker's alone. */
    private static ContentFingerprint fingerprint(KvBlockManagerConfig config) {
        KvManagerModelConfig model = config.model();
        if (model.fingerprint() != null) {
            return model.fingerprint();
        }
        return ModelIdentity.builder()
                .modelId("unnamed")
                .revision("worker " + Long.toUnsignedString(config.runtime().workerId()))
                .dtype(model.dtype().name())
                .layers(model.numLayers())
                .outer(model.outerDim())
                .heads(1)
                .headDim(model.innerDim())
                .pageSize(model.pageSize())
                .identityKind(model.identityKind())
                .build()
                .fingerprint();
    }

    @Override
    public String toString() {
        return "KvBlockManager[worker " + Long.toUnsignedString(workerId) + ", " + model + "]";
    }
}
