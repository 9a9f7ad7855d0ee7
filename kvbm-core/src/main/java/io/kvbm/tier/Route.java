package io.kvbm.tier;

import java.util.Locale;

import io.kvbm.storage.CacheLevel;
import io.kvbm.transfer.TransferObserver;

/** From which level to which blocks are copied. */
public enum Route {

    /** From the GPU to host memory, behind the computation. */
    OFFLOAD(CacheLevel.G1, CacheLevel.G2),

    /** From host memory to the GPU, before the computation. */
    ONBOARD(CacheLevel.G2, CacheLevel.G1);

    private final CacheLevel from;
    private final CacheLevel to;

    Route(CacheLevel from, CacheLevel to) {
        this.from = from;
        this.to = to;
    }

    /** The level that the blocks are copied from. */
    public CacheLevel from() {
        return from;
    }

    /** The level that the blocks are copied to. */
    public CacheLevel to() {
        return to;
    }

    /** What observers are told of it. */
    TransferObserver.Way way() {
        return new TransferObserver.Way(name().toLowerCase(Locale.ROOT), from.tier(), to.tier());
    }
}
