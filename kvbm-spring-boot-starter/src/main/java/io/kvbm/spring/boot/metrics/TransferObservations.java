package io.kvbm.spring.boot.metrics;

import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import org.jspecify.annotations.Nullable;

import io.kvbm.transfer.TransferObserver;

/**
 * Makes an observation of each copy between levels and each one from a peer, within that of the request that waits for it,
 * if one does.
 */
final class TransferObservations implements TransferObserver {

    private final ObservationRegistry registry;

    TransferObservations(ObservationRegistry registry) {
        this.registry = registry;
    }

    @Override
    public Copy begins(Way way, int blocks) {
        Observation observation = Observation.createNotStarted("kvbm." + way.name(), registry)
                .lowCardinalityKeyValue("from", way.from())
                .lowCardinalityKeyValue("to", way.to())
                .start();
        return (arrived, failure) -> {
            if (failure != null) {
                observation.error(failure);
            }
            observation.lowCardinalityKeyValue("outcome", outcome(blocks, arrived, failure))
                    .highCardinalityKeyValue("blocks", Integer.toString(arrived))
                    .stop();
        };
    }

    private static String outcome(int wanted, int arrived, @Nullable Throwable failure) {
        if (failure != null) {
            return "failed";
        }
        if (arrived == 0) {
            return "none";
        }
        return arrived < wanted ? "part" : "all";
    }
}
