package io.kvbm.tier;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.KvbmException;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;

/** Copies blocks up from the level below before a sequence uses them. */
final class Onboarder {

    private static final Logger log = LoggerFactory.getLogger(Onboarder.class);

    private final BlockPool upper;
    private final BlockPool lower;
    private final Copier copier;
    private final int batchBlocks;
    private final RouteCounters counters = new RouteCounters();

    Onboarder(BlockPool upper, BlockPool lower, Copier copier, int batchBlocks) {
        this.upper = upper;
        this.lower = lower;
        this.copier = copier;
        this.batchBlocks = batchBlocks;
    }

    int onboard(IdentityChain chain, int from, List<BlockHandle> blocks, TransferControl control) {
        try (BlockList<ImmutableBlock> found = lower.matchBlocks(chain, from, from + blocks.size())) {
            int done = 0;
            while (done < found.size() && control.mayGoOn()) {
                int end = Math.min(found.size(), done + batchBlocks);
                if (!copy(found.subList(done, end), chain, from + done, blocks.subList(done, end), control)) {
                    break;
                }
                done = end;
            }
            return done;
        }
    }

    /** Whether the blocks hold what was found. */
    private boolean copy(List<ImmutableBlock> found, IdentityChain chain, int from, List<BlockHandle> blocks,
            TransferControl control) {
        List<MutableBlock> own = new ArrayList<>(blocks.size());
        blocks.forEach(block -> own.add((MutableBlock) block));
        counters.begin(own.size(), Integer.MAX_VALUE);
        try {
            copier.copy(Route.ONBOARD, found, own, control, counters);
        } catch (KvbmException e) {
            log.debug("{} blocks from block {} of a sequence on are computed, as they cannot be onboarded: {}",
                    own.size(), from, e.getMessage());
            exchange(blocks);
            return false;
        } finally {
            counters.end(own.size());
        }
        BlockList<ImmutableBlock> registered = upper.registerBlocks(own, chain, from);
        for (int i = 0; i < registered.size(); i++) {
            blocks.set(i, registered.get(i));
        }
        return true;
    }

    /** A copy that was given up may write its destinations later, when the sequence has computed something else there. */
    private void exchange(List<BlockHandle> blocks) {
        Optional<BlockList<MutableBlock>> others = upper.exchangeBlocks(blocks, blocks.size());
        if (others.isEmpty()) {
            upper.closeAll(blocks);
        }
        List<MutableBlock> own = others.isPresent() ? others.get() : upper.allocateBlocks(blocks.size());
        for (int i = 0; i < own.size(); i++) {
            blocks.set(i, own.get(i));
        }
    }

    RouteStats stats() {
        return counters.stats();
    }
}
