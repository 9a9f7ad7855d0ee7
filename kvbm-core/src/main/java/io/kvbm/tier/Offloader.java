package io.kvbm.tier;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.ClosedException;
import io.kvbm.error.KvbmException;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;

/**
 * Copies registered blocks down to the level below, in a thread of its own and in the order of their registration. What
 * waits is bounded in blocks; where the copies do not keep up, blocks are left where they are, which costs a hit once
 * they are evicted there.
 */
final class Offloader implements AutoCloseable {

    /** How much may wait before it is no more looked below for what was found above. */
    private static final int MOST_JOBS = 1024;

    private static final Logger log = LoggerFactory.getLogger(Offloader.class);

    private final BlockPool upper;
    private final BlockPool lower;
    private final Copier copier;
    private final TierLimits limits;
    private final Supplier<TransferControl> control;
    private final RouteCounters counters = new RouteCounters();
    private final ThreadPoolExecutor thread = new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), Thread.ofPlatform().name("kvbm-offload").daemon().factory());

    Offloader(BlockPool upper, BlockPool lower, Copier copier, TierLimits limits, Supplier<TransferControl> control) {
        this.upper = upper;
        this.lower = lower;
        this.copier = copier;
        this.limits = limits;
        this.control = control;
        thread.allowCoreThreadTimeOut(true);
    }

    void offload(List<ImmutableBlock> blocks, IdentityChain chain, int from) {
        offload(blocks, chain, from, thread);
    }

    private void offload(List<ImmutableBlock> blocks, IdentityChain chain, int from, Executor executor) {
        int n = counters.begin(blocks.size(), limits.pendingBlocks());
        if (n == 0) {
            return;
        }
        List<ImmutableBlock> held = new ArrayList<>(n);
        Job job;
        try {
            blocks.subList(0, n).forEach(block -> held.add(block.share()));
            job = new Job(held, chain.copy(from + n), from);
        } catch (RuntimeException | Error e) { // a block has as many holders as there may be
            skip(held, n, from, e);
            return;
        }
        try {
            executor.execute(job);
        } catch (RejectedExecutionException e) { // the manager is closing
            skip(held, n, from, e);
        }
    }

    /** Nothing of the sequence's concern. */
    private void skip(List<ImmutableBlock> held, int n, int from, Throwable why) {
        log.debug("{} blocks from block {} of a sequence on are not offloaded", n, from, why);
        counters.skipped(n);
        letGo(n, held);
    }

    void used(IdentityChain chain, int blocks) {
        if (blocks == 0 || thread.getQueue().size() >= MOST_JOBS) {
            return;
        }
        try {
            IdentityChain found = chain.copy(blocks);
            thread.execute(() -> refresh(found));
        } catch (RuntimeException | Error e) {
            log.debug("{} blocks that were found are not looked for below", blocks, e);
        }
    }

    private void refresh(IdentityChain chain) {
        try {
            int there = lower.touchBlocks(chain, 0, chain.size());
            if (there < chain.size()) {
                try (BlockList<ImmutableBlock> above = upper.holdBlocks(chain, there, chain.size())) {
                    offload(above, chain, there, Runnable::run); // before what waits, which may be to forget it
                }
            }
        } catch (KvbmException e) {
            log.debug("{} blocks that were found are not looked for below: {}", chain.size(), e.getMessage());
        }
    }

    /**
     * Has something done once everything has been copied that waits, and waits for it as long as for a copy.
     *
     * @throws ClosedException where nothing is copied any more
     * @throws io.kvbm.error.TransferException {@code DEADLINE_EXCEEDED} where it has to wait longer; it is done all the
     *         same
     */
    int afterAll(IntSupplier work) {
        Later later = new Later(work, new CompletableFuture<>());
        try {
            thread.execute(later);
            control.get().await(later.result::isDone, () -> {});
            return later.result.join();
        } catch (RejectedExecutionException e) {
            throw closed();
        } catch (CompletionException e) {
            throw e.getCause() instanceof KvbmException failure ? failure : e;
        }
    }

    private static ClosedException closed() {
        return new ClosedException("Nothing is copied between the levels any more; clear before the manager is closed");
    }

    private void letGo(int n, List<ImmutableBlock> held) {
        try {
            upper.closeAll(held);
        } finally {
            counters.end(n);
        }
    }

    RouteStats stats() {
        return counters.stats();
    }

    @Override
    public void close() {
        for (Runnable left : thread.shutdownNow()) {
            switch (left) {
                case Job job -> job.letGo();
                case Later later -> later.result.completeExceptionally(closed());
                default -> log.debug("{} is dropped, as the manager is closing", left); // a look at what was found
            }
        }
    }

    /** What somebody waits for. */
    private record Later(IntSupplier work, CompletableFuture<Integer> result) implements Runnable {

        @Override
        public void run() {
            try {
                result.complete(work.getAsInt());
            } catch (RuntimeException | Error e) {
                result.completeExceptionally(e);
            }
        }
    }

    /** Blocks that wait to be copied, and the hold on them. */
    private final class Job implements Runnable {

        private final List<ImmutableBlock> blocks;
        private final IdentityChain chain;
        private final int from;

        Job(List<ImmutableBlock> blocks, IdentityChain chain, int from) {
            this.blocks = blocks;
            this.chain = chain;
            this.from = from;
        }

        @Override
        public void run() {
            int done = 0;
            try {
                done = lower.touchBlocks(chain, from, from + blocks.size());
                while (done < blocks.size()) {
                    int n = Math.min(limits.batchBlocks(), blocks.size() - done);
                    int copied = copy(done, n);
                    done += copied;
                    if (copied < n) {
                        counters.skipped(blocks.size() - done);
                        break;
                    }
                }
            } catch (KvbmException e) {
                log.debug("{} blocks from block {} of a sequence on are not offloaded: {}", blocks.size() - done,
                        from + done, e.getMessage());
                counters.skipped(Math.max(0, blocks.size() - done - limits.batchBlocks())); // the batch has failed
            } finally {
                letGo();
            }
        }

        /** Copies as many as there is room for. */
        private int copy(int first, int most) {
            int n = Math.min(most, lower.availableBlocks());
            if (n == 0) {
                return 0;
            }
            try (BlockList<MutableBlock> own = lower.allocateBlocks(n)) {
                copier.copy(Route.OFFLOAD, blocks.subList(first, first + n), own, control.get(), counters);
                lower.registerBlocks(own, chain, from + first).close();
            }
            return n;
        }

        private void letGo() {
            Offloader.this.letGo(blocks.size(), blocks);
        }
    }
}
