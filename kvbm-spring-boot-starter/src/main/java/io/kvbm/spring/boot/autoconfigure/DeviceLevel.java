package io.kvbm.spring.boot.autoconfigure;

import java.util.List;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.cuda.Cuda;
import io.kvbm.cuda.CudaDevice;
import io.kvbm.cuda.CudaEngine;
import io.kvbm.cuda.CudaLibrary;
import io.kvbm.cuda.DeviceStorage;
import io.kvbm.error.KvbmException;

/**
 * The level of memory on a GPU, as the properties ask for it. The driver takes memory and threads, so it is not even
 * looked for unless they do.
 */
final class DeviceLevel {

    private static final Logger log = LoggerFactory.getLogger(DeviceLevel.class);

    private static final String ORDINAL = "kvbm.device.ordinal";
    private static final String ENABLED = "kvbm.device.enabled";

    private final KvbmProperties.Device settings;
    private final LevelSize size;

    DeviceLevel(KvbmProperties.Device settings) {
        this.settings = settings;
        this.size = LevelSize.of(settings);
    }

    private boolean isWanted() {
        return settings.enabled() == null ? settings.blocks() != null || settings.size() != null : settings.enabled();
    }

    /**
     * Opens the GPU that is asked for; null where none is, or where it cannot be used and need not be.
     *
     * @throws InvalidKvbmPropertyException where properties ask for one that cannot be had
     */
    @Nullable
    CudaDevice open() {
        if (!isWanted()) {
            return null;
        }
        if (settings.ordinal() < 0) {
            throw new InvalidKvbmPropertyException(ORDINAL, "is " + settings.ordinal(),
                    "Set the number of a GPU, counted from 0.");
        }
        return switch (Cuda.find()) {
            case Cuda.Absent absent -> {
                requireDispensable(absent.reason());
                log.info("{}. Blocks are kept in host memory only", absent.description());
                yield null;
            }
            case CudaLibrary library -> open(library);
        };
    }

    private @Nullable CudaDevice open(CudaLibrary library) {
        if (settings.ordinal() >= library.devices()) {
            throw new InvalidKvbmPropertyException(ORDINAL, "is " + settings.ordinal() + ", and this process sees "
                    + library.devices() + ", counted from 0", "Correct it, or CUDA_VISIBLE_DEVICES.");
        }
        try {
            CudaDevice device = library.device(settings.ordinal());
            log.info("{}, and blocks are kept on {}", library.description(), device);
            return device;
        } catch (KvbmException e) {
            requireDispensable(e.getMessage());
            log.warn("GPU {} is there but not used: {}. Blocks are kept in host memory only", settings.ordinal(),
                    e.getMessage());
            return null;
        }
    }

    private void requireDispensable(@Nullable String reason) {
        if (settings.enabled() != null) {
            throw new InvalidKvbmPropertyException(ENABLED, "is true, but no GPU can be used: " + reason,
                    "Do what the description says, or leave " + ENABLED
                            + " out to keep blocks in host memory where there is no GPU.");
        }
    }

    /** Adds the blocks on a GPU, and what moves them; nothing but a look at the properties where there is no GPU. */
    void configure(KvBlockManagerConfig.Builder config, KvManagerModelConfig model, @Nullable CudaDevice device) {
        int blocks = isWanted() ? size.blocksOf(model) : 0;
        if (device == null) {
            return;
        }
        config.engines(List.of(new CudaEngine(List.of(device))));
        if (blocks > 0) {
            config.deviceLayout(layout(blocks, device));
        }
    }

    private KvManagerLayoutConfig layout(int blocks, CudaDevice device) {
        KvManagerLayoutConfig.Builder layout = KvManagerLayoutConfig.builder()
                .numBlocks(blocks)
                .layoutType(settings.layout())
                .alignment(settings.alignment())
                .allocator(bytes -> allocate(device, bytes));
        if (settings.headOrder() != null) {
            layout.headOrder(settings.headOrder());
        }
        return layout.build();
    }

    /** Below this nobody knows which property has led to so many bytes. */
    private DeviceStorage allocate(CudaDevice device, long bytes) {
        try {
            return device.allocator().allocate(bytes);
        } catch (KvbmException e) {
            throw new InvalidKvbmPropertyException(size.property(), "is "
                    + (settings.blocks() == null ? settings.size() : settings.blocks())
                    + ", for which there is no memory: " + e.getMessage(),
                    "Lower it, or leave more of the GPU's memory to it.");
        }
    }
}
