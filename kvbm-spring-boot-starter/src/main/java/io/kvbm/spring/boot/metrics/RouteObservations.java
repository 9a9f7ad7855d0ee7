package io.kvbm.spring.boot.metrics;

import java.util.Locale;

import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;

import io.kvbm.tier.Route;
import io.kvbm.tier.RouteObserver;

/** Makes an observation of each copy between levels, within that of the request that waits for it, if one does. */
final class RouteObservations implements RouteObserver {

    private final ObservationRegistry registry;

    RouteObservations(ObservationRegistry registry) {
        this.registry = registry;
    }

    @Override
    public Copy begins(Route route, int blocks) {
        Observation observation = Observation
                .createNotStarted("kvbm." + route.name().toLowerCase(Locale.ROOT), registry)
                .lowCardinalityKeyValue("from", route.from().tier())
                .lowCardinalityKeyValue("to", route.to().tier())
                .highCardinalityKeyValue("blocks", Integer.toString(blocks))
                .start();
        return failure -> {
            if (failure != null) {
                observation.error(failure);
            }
            observation.stop();
        };
    }
}
