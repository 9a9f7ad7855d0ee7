package io.kvbm.pool;

import java.lang.foreign.MemorySegment;

import io.kvbm.block.BlockId;
import io.kvbm.block.Pin;
import io.kvbm.layout.BlockLayout;
import io.kvbm.storage.StorageType;

/** One of the holds of {@link SlotPins}, made each time it is asked for. */
final class SlotPin implements Pin {

    private final SlotPins pins;
    private final int place;

    SlotPin(SlotPins pins, int place) {
        this.pins = pins;
        this.place = place;
    }

    @Override
    public BlockId id() {
        return pins.pool().blocks().id(pins.slot(place));
    }

    @Override
    public BlockLayout layout() {
        return pins.pool().blocks().layout();
    }

    @Override
    public MemorySegment segment(int layer, int outer) {
        return view(pins.pool().memoryOfBlocks().part(pins.slot(place), layer, outer));
    }

    @Override
    public long address(int layer, int outer) {
        return pins.pool().memoryOfBlocks().address(pins.slot(place), layer, outer);
    }

    @Override
    public StorageType storageType() {
        return pins.pool().blocks().storageType();
    }

    @Override
    public MemorySegment layer(int layer) {
        return view(pins.pool().memoryOfBlocks().layer(pins.slot(place), layer));
    }

    @Override
    public MemorySegment segment() {
        return view(pins.pool().memoryOfBlocks().block(pins.slot(place)));
    }

    private MemorySegment view(MemorySegment memory) {
        return pins.readOnly() ? memory.asReadOnly() : memory;
    }

    @Override
    public void close() {
        pins.pool().unpin(pins, place);
    }
}
