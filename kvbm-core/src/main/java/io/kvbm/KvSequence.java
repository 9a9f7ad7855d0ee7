package io.kvbm;

import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.RandomAccess;

import io.kvbm.block.Block;
import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.PoolException;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferRequest;

/**
 * The cache of one request: the blocks that hold the K/V of its tokens, found or computed. One thread at a time.
 *
 * <pre>
 *   tokens   |  reused  |  computed  | still to compute |
 *   blocks   |  shared and registered  |  private       |
 *            0          ^ multiple of the page size     ^ length
 * </pre>
 *
 * An engine reads how much is {@linkplain #reusedTokens() reused}, computes the K/V of the remaining tokens into
 * {@link #blocks()}, and says so by {@link #computed}; full blocks are then registered, so that other requests find
 * them. For every generated token it calls {@link #append} before it computes it. The last block, unless it is full, is
 * private and never registered.
 */
public final class KvSequence implements AutoCloseable {

    private final KvBlockManager manager;
    private final BlockPool pool;
    private final IdentityChain chain;
    private final int pageSize;
    private final int reusedTokens;
    private final Holds holds;
    private final Cleaner.Cleanable net;
    private final List<Block> view = new BlocksView();

    private int[] tokens;
    private int length;
    private int peerTokens;
    private int computed;
    private int registered;

    static KvSequence open(KvBlockManager manager, int[] prompt, String tenant) {
        Opening opening = new Opening(manager, prompt, tenant);
        return opening.with(opening.pool.acquireBlocks(opening.chain, opening.reusable, opening.blocks));
    }

    static KvSequence open(KvBlockManager manager, int[] prompt, String tenant, Duration timeout)
            throws InterruptedException {
        Opening opening = new Opening(manager, prompt, tenant);
        return opening.with(opening.pool.acquireBlocks(opening.chain, opening.reusable, opening.blocks, timeout));
    }

    /** What a sequence is opened with. */
    private static final class Opening {

        private final KvBlockManager manager;
        private final BlockPool pool;
        private final int[] tokens;
        private final IdentityChain chain;
        private final int blocks;
        private final int reusable;

        private Opening(KvBlockManager manager, int[] prompt, String tenant) {
            this.manager = manager;
            this.pool = manager.sequencePool();
            int pageSize = pool.pageSize();
            this.blocks = blocksFor(prompt.length, pageSize);
            requirePossible(pool, blocks);
            this.tokens = prompt.clone(); // so that identities and tokens agree whatever happens to the prompt meanwhile
            this.chain = manager.chain(tenant);
            chain.extend(tokens, 0, tokens.length / pageSize * pageSize);
            // one position is always computed, or there would be nothing to take logits from
            this.reusable = Math.max(0, tokens.length - 1) / pageSize;
        }

        private KvSequence with(BlockPool.Acquired acquired) {
            List<BlockHandle> handles = new ArrayList<>(blocks + 1);
            handles.addAll(acquired.found());
            handles.addAll(acquired.own());
            int found = acquired.found().size();
            manager.found(pool, chain, found);
            KvBlockManager.Taken taken = found < reusable ? take(found, handles) : KvBlockManager.Taken.NOTHING;
            KvSequence sequence = new KvSequence(manager, pool, chain, tokens, found + taken.blocks(), handles);
            sequence.peerTokens = taken.fromPeers() * sequence.pageSize;
            manager.sequences().requested(tokens.length, sequence.reusedTokens, sequence.peerTokens);
            return sequence;
        }

        private KvBlockManager.Taken take(int found, List<BlockHandle> handles) {
            try {
                return manager.take(pool, chain, found, handles.subList(found, reusable));
            } catch (RuntimeException | Error e) {
                pool.closeAll(handles);
                throw e;
            }
        }
    }

    private KvSequence(KvBlockManager manager, BlockPool pool, IdentityChain chain, int[] tokens, int reusedBlocks,
            List<BlockHandle> handles) {
        this.manager = manager;
        this.pool = pool;
        this.chain = chain;
        this.pageSize = pool.pageSize();
        this.tokens = tokens;
        this.length = tokens.length;
        this.registered = reusedBlocks;
        this.reusedTokens = reusedBlocks * pageSize;
        this.computed = reusedTokens;
        this.holds = new Holds(pool, handles, manager.sequences().opened(handles));
        this.net = LeakNet.CLEANER.register(this, holds);
    }

    /** The number of tokens at the start whose K/V was found; a multiple of the page size and less than the prompt. */
    public int reusedTokens() {
        return reusedTokens;
    }

    /** How many of the reused tokens, the last ones, have their K/V from other workers. */
    public int peerTokens() {
        return peerTokens;
    }

    /** The number of tokens. */
    public int length() {
        return length;
    }

    /** The number of tokens at the start whose K/V is in the blocks. */
    public int computedTokens() {
        return computed;
    }

    /** One of the tokens. */
    public int token(int position) {
        return tokens[Objects.checkIndex(position, length)];
    }

    /**
     * The blocks in order: block {@code i} holds the tokens from {@code i} times the page size on. The first
     * {@link #sharedBlocks()} are read-only. Valid until the next call that changes the sequence.
     */
    public List<Block> blocks() {
        requireOpen();
        return view;
    }

    /** The number of blocks at the start that are registered, shared and read-only. */
    public int sharedBlocks() {
        return registered;
    }

    /**
     * Adds a token and takes a block for it where the last one is full. Its K/V is still to be computed.
     *
     * @throws PoolException with decision {@code RETRY} where no block is available, {@code REQUEST_TOO_LARGE} where the
     *         sequence has all blocks there are; the sequence is unchanged
     */
    public void append(int token) {
        requireOpen();
        if (length == holds.handles.size() * pageSize) {
            requirePossible(pool, holds.handles.size() + 1);
            holds.handles.add(pool.allocateBlocks(1).getFirst());
        }
        if (length == tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(length + pageSize, length + (length >> 1)));
        }
        tokens[length++] = token;
    }

    /**
     * States that the K/V of the first n tokens is in the blocks, and registers those that are full. Where another
     * sequence has registered the same content meanwhile, its block takes the place of this one's.
     *
     * <p>
     * On a GPU it is in the blocks when the kernels that write it have ended: blocks are copied from there by streams that
     * wait for no other, and found by other sequences at once.
     *
     * @param n at least as many as were computed before, at most {@link #length()}
     */
    public void computed(int n) {
        requireOpen();
        if (n < computed || n > length) {
            throw new IllegalArgumentException(n + " tokens are said to be computed of " + length + ", of which "
                    + computed + " were before");
        }
        int full = n / pageSize;
        if (full > registered) {
            if (chain.size() < full) {
                chain.extend(tokens, chain.size() * pageSize, full * pageSize);
            }
            List<BlockHandle> run = holds.handles.subList(registered, full);
            List<MutableBlock> filled = new ArrayList<>(run.size());
            run.forEach(handle -> filled.add((MutableBlock) handle));
            BlockList<ImmutableBlock> shared = pool.registerBlocks(filled, chain, registered);
            manager.registered(pool, shared, chain, registered);
            for (int i = 0; i < shared.size(); i++) {
                run.set(i, shared.get(i));
            }
            registered = full;
        }
        computed = n;
    }

    /**
     * Forgets all tokens from position n on. Where that leaves part of a shared block, the part is copied into a private
     * one.
     *
     * @throws PoolException with decision {@code RETRY} where no block is available for that copy, {@code REQUEST_TOO_LARGE}
     *         where there never is one beside the blocks that stay; the sequence is unchanged
     */
    public void truncate(int n) {
        requireOpen();
        Objects.checkIndex(n, length + 1);
        int whole = n / pageSize;
        if (n % pageSize != 0 && whole < registered) {
            unshare(whole);
        }
        List<BlockHandle> dropped = holds.handles.subList(blocksFor(n, pageSize), holds.handles.size());
        pool.closeAll(dropped);
        dropped.clear();
        chain.truncate(Math.min(chain.size(), whole));
        registered = Math.min(registered, whole);
        computed = Math.min(computed, n);
        length = n;
    }

    /** Puts a private copy in the place of a shared block. Where there is no block for it, those behind go back for one. */
    private void unshare(int place) {
        List<BlockHandle> handles = holds.handles;
        requirePossible(pool, place + 2);
        Optional<BlockList<MutableBlock>> one = pool.exchangeBlocks(List.of(), 1);
        if (one.isEmpty()) {
            one = pool.exchangeBlocks(handles.subList(place + 1, handles.size()), 1);
            if (one.isPresent()) {
                truncate((place + 1) * pageSize);
            }
        }
        MutableBlock copy = one.orElseGet(() -> pool.allocateBlocks(1)).getFirst();
        copy(List.of(handles.get(place)), List.of(copy));
        handles.set(place, copy).close();
    }

    /**
     * A second sequence with the same tokens that goes on separately. Registered blocks are shared, the private ones
     * that hold computed K/V are copied.
     *
     * @throws PoolException with decision {@code RETRY} where no blocks are available for the copies
     */
    public KvSequence fork() {
        requireOpen();
        List<BlockHandle> own = holds.handles;
        BlockList<MutableBlock> copies = pool.allocateBlocks(own.size() - registered);
        List<BlockHandle> handles = new ArrayList<>(own.size() + 1);
        try {
            int withContent = blocksFor(computed, pageSize) - registered;
            if (withContent > 0) {
                copy(own.subList(registered, registered + withContent), copies.subList(0, withContent));
            }
            for (BlockHandle handle : own.subList(0, registered)) {
                handles.add(((ImmutableBlock) handle).share());
            }
        } catch (RuntimeException | Error e) {
            pool.closeAll(handles);
            copies.close();
            throw e;
        }
        handles.addAll(copies);
        KvSequence fork = new KvSequence(manager, pool, chain.copy(chain.size()), Arrays.copyOf(tokens, length),
                reusedTokens / pageSize, handles);
        fork.peerTokens = peerTokens;
        fork.registered = registered;
        fork.computed = computed;
        return fork;
    }

    /**
     * Gives all blocks back, tail first. What was registered stays to be found until its memory is needed. On a GPU no
     * kernel may use the blocks any more.
     */
    @Override
    public void close() {
        holds.closed = true;
        net.clean();
    }

    private void copy(List<? extends BlockHandle> from, List<MutableBlock> to) {
        try {
            manager.transfers().execute(TransferRequest.put(from, to));
        } catch (RuntimeException | Error e) {
            pool.closeAll(to);
            throw e;
        }
    }

    private void requireOpen() {
        if (holds.closed) {
            throw new ClosedException("The sequence is closed; close it after its last token");
        }
    }

    /** What the sequence has already is not given back by waiting, so the whole of it has to fit. */
    private static void requirePossible(BlockPool pool, int blocks) {
        if (blocks > pool.attainableBlocks()) {
            throw new PoolException(PoolException.Kind.REQUEST_TOO_LARGE, "A sequence of " + blocks
                    + " blocks was asked for and " + pool + " has " + pool.attainableBlocks()
                    + " in all; enlarge the pool or shorten the request");
        }
    }

    private static int blocksFor(int tokens, int pageSize) {
        return (tokens + pageSize - 1) / pageSize;
    }

    /** The blocks, read-only; who holds it holds the sequence, so that the leak net does not strike meanwhile. */
    private final class BlocksView extends AbstractList<Block> implements RandomAccess {

        @Override
        public Block get(int index) {
            return holds.handles.get(index);
        }

        @Override
        public int size() {
            return holds.handles.size();
        }
    }

    /** The handles of a sequence, apart from it, so that they can go back when the sequence itself is lost. */
    private static final class Holds implements Runnable {

        private final BlockPool pool;
        private final List<BlockHandle> handles;
        private final Sequences.Open open;
        private volatile boolean closed;

        private Holds(BlockPool pool, List<BlockHandle> handles, Sequences.Open open) {
            this.pool = pool;
            this.handles = handles;
            this.open = open;
        }

        @Override
        public void run() {
            pool.closeAll(handles);
            if (closed) {
                open.closed();
            } else {
                open.leaked();
            }
        }
    }

    /** Started with the first sequence. */
    private static final class LeakNet {

        private static final Cleaner CLEANER = Cleaner
                .create(Thread.ofPlatform().name("kvbm-sequence-net").daemon().factory());
    }
}
