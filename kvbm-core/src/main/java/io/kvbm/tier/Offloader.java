package io.kvbm.tier;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.KvbmException;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;

/**
 * Copies registered blocks down to the level below, in a thread of its own and in the order of their registration. What
 * waits is bounded in blocks; where the copies do not keep up, blocks are left where they are, which costs a hit once
 * they are evicted there.
 */
final class Offloader implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Offloader.class);

    private final BlockPool upper;
    private final BlockPool lower;
    private final Copier copier;
    private final TierLimits limits;
    private final Duration timeout;
    private final RouteCounters counters = new RouteCounters();
    private final ThreadPoolExecutor thread = new ThreadPoolExecutor(1, 1, 10, TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), Thread.ofPlatform().name("kvbm-offload").daemon().factory());

    Offloader(BlockPool upper, BlockPool lower, Copier copier, TierLimits limits, Duration timeout) {
        this.upper = upper;
        this.lower = lower;
        this.copier = copier;
        this.limits = limits;
        this.timeout = timeout;
        thread.allowCoreThreadTimeOut(true);
    }

    void offload(List<ImmutableBlock> blocks, IdentityChain chain, int from) {
        if (blocks.isEmpty() || !counters.begin(blocks.size(), limits.pendingBlocks())) {
            return;
        }
        List<ImmutableBlock> held = new ArrayList<>(blocks.size());
        try {
            blocks.forEach(block -> held.add(block.share()));
            thread.execute(new Job(held, chain.copy(from + held.size()), from));
        } catch (KvbmException | RejectedExecutionException e) {
            // the manager is closing, or a block has as many holders as there may be: none of the sequence's concern
            counters.skipped(blocks.size());
            letGo(blocks.size(), held);
        } catch (RuntimeException | Error e) {
            letGo(blocks.size(), held);
            throw e;
        }
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
        thread.shutdownNow().forEach(job -> ((Job) job).letGo());
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
                done = present();
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
            } finally {
                letGo();
            }
        }

        /** How many of them are below already. */
        private int present() {
            try (BlockList<ImmutableBlock> there = lower.matchBlocks(chain, from, from + blocks.size())) {
                return there.size();
            }
        }

        /** Copies as many as there is room for. */
        private int copy(int first, int most) {
            int n = Math.min(most, lower.availableBlocks());
            if (n == 0) {
                return 0;
            }
            try (BlockList<MutableBlock> own = lower.allocateBlocks(n)) {
                copier.copy(Route.OFFLOAD, blocks.subList(first, first + n), own, timeout, counters);
                lower.registerBlocks(own, chain, from + first).close();
            }
            return n;
        }

        private void letGo() {
            Offloader.this.letGo(blocks.size(), blocks);
        }
    }
}
