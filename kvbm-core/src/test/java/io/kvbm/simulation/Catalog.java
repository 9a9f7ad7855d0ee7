package io.kvbm.simulation;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;

/** Addresses under which workers have registered. Nobody removes the entry of a worker that crashed, unless by chance. */
final class Catalog {

    private static final int REMEMBERED = 8;

    private final SplittableRandom random;
    private final TreeSet<String> entries = new TreeSet<>();
    private final List<List<String>> earlier = new ArrayList<>();

    Catalog(SplittableRandom random) {
        this.random = random;
    }

    void register(String address) {
        remember();
        entries.add(address);
    }

    void remove(String address) {
        remember();
        entries.remove(address);
    }

    private void remember() {
        earlier.add(List.copyOf(entries));
        if (earlier.size() > REMEMBERED) {
            earlier.removeFirst();
        }
    }

    List<String> list(Faults faults) {
        if (random.nextDouble() < faults.empty()) {
            return List.of();
        }
        if (!earlier.isEmpty() && random.nextDouble() < faults.stale()) {
            return earlier.get(random.nextInt(earlier.size()));
        }
        return List.copyOf(entries);
    }
}
