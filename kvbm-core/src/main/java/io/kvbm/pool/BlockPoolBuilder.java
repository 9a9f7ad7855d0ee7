package io.kvbm.pool;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockSet;
import io.kvbm.block.SlotBoard;
import io.kvbm.error.ConfigException;
import io.kvbm.event.EventSink;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.IdentityKind;

/** What a pool can be told before it starts. */
public final class BlockPoolBuilder {

    final BlockSet blocks;
    IdentityKind identity = IdentityKind.XXH3;
    ReusePolicy reusePolicy = ReusePolicy.LINEAGE;
    LeakDetection leakDetection = LeakDetection.SAMPLED;
    private @Nullable LeakReport leakReport;
    EventSink events = EventSink.NONE;
    @Nullable
    SlotBoard board;
    MonotonicClock clock = MonotonicClock.SYSTEM;
    int maxWaiters = 1024;

    BlockPoolBuilder(BlockSet blocks) {
        this.blocks = blocks;
    }

    /** The kind of identity; XXH3 unless set, as the by-hand calls need it. */
    public BlockPoolBuilder identity(IdentityKind value) {
        this.identity = value;
        return this;
    }

    /** Which block is reused first; lineage unless set. */
    public BlockPoolBuilder reusePolicy(ReusePolicy value) {
        this.reusePolicy = value;
        return this;
    }

    /** How many calls have a leak net; sampled unless set. */
    public BlockPoolBuilder leakDetection(LeakDetection value) {
        this.leakDetection = value;
        return this;
    }

    /** Where leaks are noted; in one of the pool's own unless set. */
    public BlockPoolBuilder leakReport(LeakReport value) {
        this.leakReport = value;
        return this;
    }

    LeakReport leakReport() {
        return leakReport == null ? new LeakReport(clock) : leakReport;
    }

    /** Where events go; nowhere unless set. */
    public BlockPoolBuilder events(EventSink value) {
        this.events = value;
        return this;
    }

    /** Where other processes see what the slots hold; nowhere unless set. The board becomes the pool's own. */
    public BlockPoolBuilder board(SlotBoard value) {
        this.board = value;
        return this;
    }

    /** The clock of deadlines. */
    public BlockPoolBuilder clock(MonotonicClock value) {
        this.clock = value;
        return this;
    }

    /** How many callers may wait for blocks at once; 1024 unless set, 0 for none. */
    public BlockPoolBuilder maxWaiters(int value) {
        if (value < 0) {
            throw new ConfigException(ConfigException.Kind.INVALID,
                    "maxWaiters is " + value + "; give 0 or more");
        }
        this.maxWaiters = value;
        return this;
    }

    SlotLedger ledger() {
        if (blocks.size() > BlockPool.MAX_BLOCKS) {
            throw new ConfigException(ConfigException.Kind.INVALID, "A pool of " + blocks.size()
                    + " blocks is over the limit of " + BlockPool.MAX_BLOCKS + "; use larger pages");
        }
        SlotTable slots = new SlotTable(blocks.size(), identity);
        return new SlotLedger(slots, switch (reusePolicy) {
            case LINEAGE -> new LineageOrder(slots.size());
            case PRIORITY -> new PriorityOrder(slots);
        }, board);
    }

    /** Starts the pool. */
    public BlockPool build() {
        return new BlockPool(this);
    }
}
