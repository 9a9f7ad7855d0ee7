package io.kvbm.remote;

/** The steps of a read in their order, between which anything may happen at the owner. */
enum ReadStep {
    LOOK, COPY, FENCE, LOOK_AGAIN, CHECKSUM;

    /** Who is told before each step of a read; tests let things happen there. */
    @FunctionalInterface
    interface Watcher {

        /** Does nothing. */
        Watcher NONE = _ -> {};

        void before(ReadStep step);
    }
}
