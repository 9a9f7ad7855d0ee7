package io.kvbm.remote;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;

import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.DType;
import io.kvbm.layout.HeadOrder;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;
import io.kvbm.token.ContentFingerprint;

/** Blocksets of known content. */
final class Exports {

    static final StorageType SYSTEM = new StorageType.System();
    static final SharedMemoryAddress SHARED = new SharedMemoryAddress(4711, 0x0123456789abcdefL, -2, 21,
            List.of(22, 23, 24));

    private Exports() {}

    static LayoutConfig config(int blocks, int layers, int alignment, DType dtype) {
        return LayoutConfig.builder()
                .numBlocks(blocks)
                .numLayers(layers)
                .pageSize(4)
                .innerDim(16)
                .alignment(alignment)
                .dtype(dtype)
                .build();
    }

    /** A level of which the memories lie at a distance of 1 MiB from each other. */
    static ExportedLevel level(int set, LayoutConfig config, LayoutType type, StorageType storage, long address,
            @Nullable SharedMemoryAddress shared) {
        BlockLayout layout = BlockLayout.of(config, type);
        List<ExportedMemory> memory = new ArrayList<>();
        for (int i = 0; i < layout.storageCount(); i++) {
            long start = address + ((long) i << 20);
            memory.add(new ExportedMemory(storage, start, layout.requiredAllocation(), layout.baseOffset(start)));
        }
        return new ExportedLevel(set, CacheLevel.G2, type, config, memory, shared);
    }

    static ExportedLevel level(int set) {
        return level(set, config(16, 3, 1, DType.FP16), LayoutType.FULLY_CONTIGUOUS, SYSTEM, (long) set << 32, null);
    }

    static Blockset of(ExportedLevel... levels) {
        return new Blockset(7, 0, null, List.of(levels), new byte[0]);
    }

    static ContentFingerprint fingerprint() {
        byte[] digest = new byte[ContentFingerprint.BYTES];
        IntStream.range(0, digest.length).forEach(i -> digest[i] = (byte) (0xe0 + i));
        return ContentFingerprint.ofBytes(digest);
    }

    /** What the golden file of version 1 holds: every section, and numbers that differ. */
    static Blockset golden() {
        ExportedLevel host = level(1, config(7, 3, 256, DType.BF16), LayoutType.LAYER_SEPARATE, SYSTEM,
                0x7f03_0000_0001L, SHARED);
        LayoutConfig gpu = new LayoutConfig(8, 3, 2, 4, 16, 1, DType.FP8_E4M3, 1, HeadOrder.NHD);
        ExportedLevel device = new ExportedLevel(2, CacheLevel.G1, LayoutType.FULLY_CONTIGUOUS, gpu,
                List.of(new ExportedMemory(new StorageType.Device(5), 0xffff_8000_0000_0000L, 4096, 0)), null);
        return new Blockset(-1, 1_770_000_000_123L, fingerprint(), List.of(host, device), new byte[]{1, 0, -1});
    }
}
