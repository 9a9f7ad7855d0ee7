package io.kvbm;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.LongAdder;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockSet;
import io.kvbm.block.RemoteBlock;
import io.kvbm.block.SlotBoard;
import io.kvbm.error.ClosedException;
import io.kvbm.error.ConfigException;
import io.kvbm.error.FirstFailure;
import io.kvbm.error.KvbmException;
import io.kvbm.event.EventLog;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.pool.BlockPool;
import io.kvbm.pool.BlockPoolBuilder;
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
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.ContentFingerprint;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.ModelIdentity;
import io.kvbm.transfer.RemoteTransport;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferDispatcher;

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

    private final long workerId;
    private final ContentFingerprint fingerprint;
    private final KvManagerModelConfig model;
    private final @Nullable BlockPool host;
    private final EventLog events;
    private final TransferDispatcher transfers;
    private final MonotonicClock clock;
    private final Duration takeTimeout;
    private final @Nullable Peering peering;
    private final CancellationToken cancellation;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();

    private final LongAdder opened = new LongAdder();
    private final LongAdder ended = new LongAdder();
    private final LongAdder leaked = new LongAdder();
    private final LongAdder tokensRequested = new LongAdder();
    private final LongAdder tokensReused = new LongAdder();
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
        this.workerId = config.runtime().workerId();
        this.model = config.model();
        this.fingerprint = fingerprint(config);
        this.clock = config.clock();
        this.takeTimeout = config.sharing() == null ? Duration.ZERO : config.sharing().takeTimeout();
        this.events = new EventLog(config.eventCapacity(), config.eventDelivery());
        this.transfers = TransferDispatcher.builder()
                .clock(config.clock())
                .timeout(config.transferTimeout())
                .checkAddresses(config.checkTransferAddresses())
                .build();
        try {
            this.host = config.hostLayout() == null ? null : pool(config, config.hostLayout());
        } catch (RuntimeException | Error e) {
            transfers.close();
            events.close();
            throw e;
        }
        try {
            this.peering = config.sharing() == null ? null : peering(config, config.sharing());
        } catch (RuntimeException | Error e) {
            transfers.close();
            pools().forEach(BlockPool::close);
            events.close();
            throw e;
        }
        (host == null ? CompletableFuture.<Void>completedStage(null) : host.reserved())
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
        return Optional.empty();
    }

    /** All pools, nearest level first. */
    public List<BlockPool> pools() {
        return host == null ? List.of() : List.of(host);
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
        long ends = ended.sum();
        long opens = opened.sum();
        return new ManagerStats(opens - ends, opens, tokensRequested.sum(), tokensReused.sum(), leaked.sum());
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
        return host == null || host.awaitIdle(timeout);
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
        if (host != null) {
            failure.attempt(host::close);
        }
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
        if (host == null) {
            throw new ConfigException(ConfigException.Kind.MISSING,
                    "No level of memory is configured; sequences need a host layout");
        }
        return host;
    }

    /** Puts what peers have of a sequence in the place of blocks to be filled; returns how many were replaced. */
    int take(BlockPool pool, IdentityChain chain, int from, List<BlockHandle> blocks) {
        return peering == null ? 0
                : peering.taker().take(pool, chain, from, blocks, new TransferControl(clock, takeTimeout));
    }

    void sequenceOpened(int tokens, int reused) {
        opened.increment();
        tokensRequested.add(tokens);
        tokensReused.add(reused);
    }

    void sequenceForked() {
        opened.increment();
    }

    void sequenceClosed() {
        ended.increment();
    }

    void sequenceLeaked() {
        leaked.increment();
        ended.increment();
    }

    private BlockPool pool(KvBlockManagerConfig config, KvManagerLayoutConfig level) {
        LayoutConfig layout = LayoutConfig.builder()
                .numBlocks(level.numBlocks())
                .numLayers(model.numLayers())
                .outerDim(model.outerDim())
                .pageSize(model.pageSize())
                .innerDim(model.innerDim())
                .alignment(level.alignment())
                .dtype(model.dtype())
                .build();
        BlockMemory memory = level.allocator() != null
                ? BlockMemory.allocate(layout, level.layoutType(), level.allocator())
                : BlockMemory.over(BlockLayout.of(layout, level.layoutType()),
                        Objects.requireNonNull(level.storage()));
        KvManagerSharingConfig sharing = config.sharing();
        Optional<SlotBoard> board = Optional.empty();
        try {
            BlockSet blocks = new BlockSet(memory, HOST_BLOCK_SET, workerId, CacheLevel.G2);
            BlockPoolBuilder pool = BlockPool.builder(blocks)
                    .identity(model.identityKind())
                    .reusePolicy(config.reusePolicy())
                    .leakDetection(config.leakDetection())
                    .events(events)
                    .clock(config.clock());
            if (sharing == null) {
                return pool.build();
            }
            RemoteTransport transport = sharing.transport();
            if (transport != null) {
                memory.storages().forEach(transport::register);
            }
            board = board(blocks, config.runtime().epoch(), sharing);
            board.ifPresent(pool::board);
            BlockPool shared = pool.build();
            board.ifPresent(stated -> check(blocks.level(), memory, stated, sharing.checksums()));
            return shared;
        } catch (RuntimeException | Error e) {
            board.ifPresent(SlotBoard::close);
            if (level.allocator() != null) {
                memory.close();
            }
            throw e;
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
        EventJournal journal = EventJournal.open(workerId, local.epoch(), pools(), events, config.eventCapacity());
        return new Peering(local, pools(), journal, sharing.limits(), sharing.memories(), sharing.transport(),
                config.clock(), sharing.random(), config.transferTimeout());
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
