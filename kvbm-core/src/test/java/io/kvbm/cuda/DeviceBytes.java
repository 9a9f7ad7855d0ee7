package io.kvbm.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

import io.kvbm.block.Block;
import io.kvbm.storage.StorageType;

/** Bytes of device memory for tests of other rooms, read and written by plain copies. */
public final class DeviceBytes {

    private final CudaDevice device;

    public DeviceBytes(CudaDevice device) {
        this.device = device;
    }

    public long get(Block block, int layer, int outer, long offset) {
        long address = block.address(layer, outer) + offset;
        return with((lane, host) -> {
            device.driver().copyDown(address, host.address(), Long.BYTES, lane.stream());
            finish(lane);
            return host.get(ValueLayout.JAVA_LONG, 0);
        });
    }

    public void set(Block block, int layer, int outer, long offset, long value) {
        long address = block.address(layer, outer) + offset;
        with((lane, host) -> {
            host.set(ValueLayout.JAVA_LONG, 0, value);
            device.driver().copyUp(host.address(), address, Long.BYTES, lane.stream());
            finish(lane);
            return value;
        });
    }

    private void finish(Lane lane) {
        while (!device.driver().isIdle(lane.stream())) {
            Thread.onSpinWait();
        }
    }

    private interface Work {

        long with(Lane lane, MemorySegment host);
    }

    private long with(Work work) {
        StorageType here = new StorageType.Device(device.ordinal());
        Lane lane = device.lane(here, here);
        return lane.call(() -> {
            try (Arena arena = Arena.ofConfined()) {
                return work.with(lane, arena.allocate(ValueLayout.JAVA_LONG));
            }
        });
    }
}
