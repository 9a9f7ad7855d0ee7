package io.kvbm.tier;

import org.jspecify.annotations.Nullable;

/** Is told of each copy between levels, by the thread that makes it. What it throws is logged, and harms no copy. */
@FunctionalInterface
public interface RouteObserver {

    /** Looks away. */
    RouteObserver NONE = (_, _) -> _ -> {};

    /** A copy of blocks begins. */
    Copy begins(Route route, int blocks);

    /** One copy. */
    @FunctionalInterface
    interface Copy {

        /** It has ended; well where the failure is null. */
        void ended(@Nullable Throwable failure);
    }
}
