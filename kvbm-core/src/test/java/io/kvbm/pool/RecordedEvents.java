package io.kvbm.pool;

import java.util.ArrayList;
import java.util.List;

import io.kvbm.event.EventSink;
import io.kvbm.event.KvEvent;

/** A sink that remembers what it was told since it was last asked. */
final class RecordedEvents implements EventSink {

    private final List<KvEvent> events = new ArrayList<>();

    @Override
    public synchronized void publish(KvEvent event) {
        events.add(event);
    }

    synchronized List<KvEvent> take() {
        List<KvEvent> taken = List.copyOf(events);
        events.clear();
        return taken;
    }

    /** The hashes of a stored event, in its order. */
    static List<Long> stored(KvEvent event) {
        return ((KvEvent.Stored) event).blocks().stream().map(KvEvent.StoredBlock::sequenceHash).toList();
    }

    /** The hashes of a removed event, in its order. */
    static List<Long> removed(KvEvent event) {
        return ((KvEvent.Removed) event).blocks().stream().map(KvEvent.RemovedBlock::sequenceHash).toList();
    }
}
