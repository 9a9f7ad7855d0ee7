package io.kvbm.tier;

import java.time.Duration;
import java.util.List;
import java.util.function.ToIntFunction;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.pool.BlockPool;
import io.kvbm.time.MonotonicClock;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferDispatcher;
import io.kvbm.transfer.TransferObserver;

/**
 * The level on the GPU with the level in host memory beneath it: what is registered above is copied down in the
 * background, and what is found below is copied up before it is used. A copy that fails costs a later hit and nothing
 * else.
 */
public final class Tiering implements AutoCloseable {

    private final BlockPool upper;
    private final BlockPool lower;
    private final Offloader offloader;
    private final Onboarder onboarder;

    /**
     * Joins two levels.
     *
     * @param upper blocks of GPU memory
     * @param lower blocks of host memory
     * @param timeout the time within which a copy downwards has to be over
     */
    public Tiering(BlockPool upper, BlockPool lower, TransferDispatcher transfers, TierLimits limits, Duration timeout,
            MonotonicClock clock, TransferObserver observer) {
        this.upper = upper;
        this.lower = lower;
        Copier copier = new Copier(transfers, clock, observer);
        this.offloader = new Offloader(upper, lower, copier, limits, () -> new TransferControl(clock, timeout));
        this.onboarder = new Onboarder(upper, lower, copier, limits.batchBlocks());
    }

    /**
     * Has registered blocks of the upper level copied down, as far as they are not there, and does not wait. They are
     * held until they are copied. It never fails: what cannot be taken up is not copied.
     *
     * @param blocks the sequence's blocks {@code from}, {@code from + 1}, …; their handles stay the caller's
     * @param chain the sequence's identities, of at least as many blocks
     */
    public void offload(List<ImmutableBlock> blocks, IdentityChain chain, int from) {
        offloader.offload(blocks, chain, from);
    }

    /**
     * Has what a sequence has found in the upper level stay below as long as if it had been used there, and copied down
     * where it has gone, and does not wait. It never fails.
     *
     * @param chain the sequence's identities
     * @param blocks how many of its first blocks were found
     */
    public void used(IdentityChain chain, int blocks) {
        offloader.used(chain, blocks);
    }

    /**
     * Puts registered blocks in the place of private ones of the upper level, as many as the lower one has of the
     * sequence's blocks {@code from}, {@code from + 1}, …
     *
     * @param blocks a private block for each that is wanted; the first ones are replaced. Where the copy fails they are
     *        exchanged for others, as it may still write them.
     * @param control whether to go on; what was onboarded before counts
     * @return the number of blocks that hold what is wanted
     * @throws io.kvbm.error.PoolException with decision {@code RETRY} where a copy failed and there are no others
     */
    public int onboard(IdentityChain chain, int from, List<BlockHandle> blocks, TransferControl control) {
        return onboarder.onboard(chain, from, blocks, control);
    }

    /**
     * Has both levels cleared: the lower one when nothing that was offloaded before can be registered there any more, and
     * the upper one before and after that, for what is onboarded meanwhile.
     *
     * @return how many blocks were cleared
     * @throws io.kvbm.error.TransferException {@code DEADLINE_EXCEEDED} where what is offloaded takes longer than a copy
     *         may; the lower level is cleared all the same
     */
    public int clear(ToIntFunction<BlockPool> clearing) {
        return clearing.applyAsInt(upper)
                + offloader.afterAll(() -> clearing.applyAsInt(lower) + clearing.applyAsInt(upper));
    }

    /** What has become of the blocks of a route. */
    public RouteStats stats(Route route) {
        return switch (route) {
            case OFFLOAD -> offloader.stats();
            case ONBOARD -> onboarder.stats();
        };
    }

    /** Copies nothing new; what waits is let go. */
    @Override
    public void close() {
        offloader.close();
    }
}
