package io.kvbm.transfer;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What keeps the blocks of a transfer from being reused. They go when it and all its shares are closed: an engine whose
 * caller may not wait any longer keeps a share until no byte moves any more.
 */
public final class TransferHold implements AutoCloseable {

    private final Blocks blocks;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** The first hold; the release is run once. */
    TransferHold(Runnable release) {
        this(new Blocks(release, new AtomicInteger(1)));
    }

    private TransferHold(Blocks blocks) {
        this.blocks = blocks;
    }

    /** Another hold on the same blocks, closed on its own; taken while this one is open. */
    public TransferHold share() {
        blocks.holds.incrementAndGet();
        return new TransferHold(blocks);
    }

    /** Lets the blocks go as far as this hold is concerned. Further calls do nothing. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true) && blocks.holds.decrementAndGet() == 0) {
            blocks.release.run();
        }
    }

    private record Blocks(Runnable release, AtomicInteger holds) {}
}
