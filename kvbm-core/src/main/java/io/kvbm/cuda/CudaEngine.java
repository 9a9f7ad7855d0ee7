package io.kvbm.cuda;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

import io.kvbm.block.Pin;
import io.kvbm.error.CudaException;
import io.kvbm.error.TransferException;
import io.kvbm.storage.StorageType;
import io.kvbm.transfer.TransferControl;
import io.kvbm.transfer.TransferEngine;
import io.kvbm.transfer.TransferPlan;
import io.kvbm.transfer.TransferStrategy;

/**
 * Moves bytes between host memory and GPUs, within a GPU and from one to another, with a kernel where the pieces are
 * small and many and by copies where they are large. It uses devices that others open and close.
 */
public final class CudaEngine implements TransferEngine {

    private final Map<Integer, CudaDevice> devices;
    private final CudaTuning tuning;

    /** An engine for these devices. */
    public CudaEngine(Collection<CudaDevice> devices) {
        this(devices, CudaTuning.DEFAULT);
    }

    /** An engine for these devices that moves bytes by other means than by default. */
    public CudaEngine(Collection<CudaDevice> devices, CudaTuning tuning) {
        this.devices = devices.stream().collect(Collectors.toMap(CudaDevice::ordinal, Function.identity()));
        this.tuning = tuning;
    }

    @Override
    public boolean supports(TransferStrategy strategy) {
        return switch (strategy) {
            case CUDA_ASYNC_H2D, CUDA_ASYNC_D2H, CUDA_ASYNC_D2D, CUDA_BLOCKING_H2D, CUDA_BLOCKING_D2H -> true;
            case MEMCPY, NIXL_READ, NIXL_WRITE, INVALID -> false;
        };
    }

    /**
     * {@inheritDoc}
     *
     * @throws CudaException where the driver refuses, or {@code DEVICE_LOST} where the device failed
     */
    @Override
    public void transfer(TransferPlan plan, TransferControl control) {
        StorageType source = kind(plan.sources());
        StorageType destination = kind(plan.destinations());
        CudaDevice device = source instanceof StorageType.Device from ? device(from.ordinal())
                : device(((StorageType.Device) destination).ordinal());
        device.requireUsable();
        if (destination instanceof StorageType.Device to) {
            device(to.ordinal()).requireUsable();
        }
        Lane lane = device.lane(source, destination);
        lane.requireRoom(plan.destinations().getFirst().layout().numBlocks());
        List<Pieces> pieces = Pieces.of(plan);
        Mover mover = new Mover(lane, device.kernels(), tuning,
                crossing(device, source, destination, pieces), control);
        CudaTransfer transfer = new CudaTransfer(device, lane, mover, pieces, plan.destinations().size(),
                plan.hold().share());
        try {
            lane.submit(transfer);
        } catch (RuntimeException e) {
            transfer.refused();
            throw e;
        }
        transfer.await(control);
    }

    private Mover.Crossing crossing(CudaDevice device, StorageType source, StorageType destination,
            List<Pieces> pieces) {
        Driver driver = device.driver();
        if (!(source instanceof StorageType.Device from)) {
            boolean pinned = pieces.stream().allMatch(p -> device.isPinned(p.count(), p::source, p.bytes()));
            return new Mover.Crossing(pinned ? Mover.Way.UP : Mover.Way.UP_FROM_PAGEABLE, driver::copyUp);
        }
        if (!(destination instanceof StorageType.Device to)) {
            boolean pinned = pieces.stream().allMatch(p -> device.isPinned(p.count(), p::destination, p.bytes()));
            return new Mover.Crossing(pinned ? Mover.Way.DOWN : Mover.Way.DOWN_TO_PAGEABLE, driver::copyDown);
        }
        if (from.ordinal() == to.ordinal()) {
            return new Mover.Crossing(Mover.Way.WITHIN, driver::copyWithin);
        }
        Driver.Context there = device(to.ordinal()).context();
        return new Mover.Crossing(Mover.Way.ACROSS, (a, b, size, stream) -> driver.copyAcross(a, device.context(), b,
                there, size, stream));
    }

    private static StorageType kind(List<Pin> pins) {
        StorageType kind = pins.getFirst().storageType();
        for (Pin pin : pins) {
            if (!pin.storageType().equals(kind)) {
                throw new TransferException(TransferException.Kind.INCOMPATIBLE_TYPES, "Block "
                        + pins.getFirst().id() + " lies in memory of kind " + kind + " and block " + pin.id()
                        + " in memory of kind " + pin.storageType() + "; split the request");
            }
        }
        return kind;
    }

    private CudaDevice device(int ordinal) {
        CudaDevice device = devices.get(ordinal);
        if (device == null) {
            throw new TransferException(TransferException.Kind.INCOMPATIBLE_TYPES, "Blocks of GPU " + ordinal
                    + " are to be moved by an engine for GPUs " + devices.keySet() + "; give it all of them");
        }
        return device;
    }
}
