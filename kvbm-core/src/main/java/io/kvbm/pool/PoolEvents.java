package io.kvbm.pool;

import java.util.List;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.BlockSet;
import io.kvbm.event.EventSink;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.event.KvEvent.StoredBlock;

/**
 * Tells a sink what happened to slots, one event per call of the pool and none that nobody wants. A slot keeps its names
 * until it is named again, so a removed one can still be told. Called under the pool's lock.
 */
final class PoolEvents {

    private static final Logger log = LoggerFactory.getLogger(PoolEvents.class);

    private final EventSink sink;
    private final BlockSet blocks;
    private final SlotTable slots;

    PoolEvents(EventSink sink, BlockSet blocks, SlotTable slots) {
        this.sink = sink;
        this.blocks = blocks;
        this.slots = slots;
    }

    /**
     * The blocks of a registration that are new: those that kept their slot, where the others gave way to one present.
     *
     * @param fresh how many these are
     */
    void stored(int[] filled, int[] held, int fresh, ContentNames names) {
        if (fresh == 0 || !sink.wanted()) {
            return;
        }
        StoredBlock[] stored = new StoredBlock[fresh];
        for (int i = 0, at = 0; at < fresh; i++) {
            int slot = filled[i];
            if (held[i] == slot) {
                stored[at++] = new StoredBlock(slots.sequenceHash(slot), slots.blockHash(slot), names.parentHash(i),
                        slots.position(slot), slots.probe(slot), slot, slots.generation(slot));
            }
        }
        publish(new KvEvent.Stored(blocks.level(), blocks.layout().pageSize(), List.of(stored)));
    }

    /** The slots from one place of an array on were evicted. */
    void removed(int[] evicted, int from) {
        if (from == evicted.length || !sink.wanted()) {
            return;
        }
        RemovedBlock[] removed = new RemovedBlock[evicted.length - from];
        for (int i = 0; i < removed.length; i++) {
            removed[i] = new RemovedBlock(slots.sequenceHash(evicted[from + i]), evicted[from + i]);
        }
        publish(new KvEvent.Removed(blocks.level(), List.of(removed)));
    }

    void cleared() {
        if (sink.wanted()) {
            publish(new KvEvent.Cleared(blocks.level()));
        }
    }

    /** What happened to the slots has happened, whoever fails to take note of it. */
    private void publish(KvEvent event) {
        try {
            sink.publish(event);
        } catch (RuntimeException e) {
            log.warn("An event sink has thrown, which it must not; the event {} is lost to it", event, e);
        }
    }
}
