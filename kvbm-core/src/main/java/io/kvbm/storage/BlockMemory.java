package io.kvbm.storage;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.IntConsumer;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.FirstFailure;
import io.kvbm.error.KvbmException;
import io.kvbm.error.LayoutException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;

/** A layout bound to the storages it lies in: the bytes of every block, layer and outer part. */
public final class BlockMemory implements AutoCloseable {

    private final BlockLayout layout;
    private final List<Storage> storages;
    private final StorageType storageType;
    private final long[] baseOffsets;
    private final @Nullable MemorySegment[] segments;

    private BlockMemory(BlockLayout layout, List<? extends Storage> storages, long[] baseOffsets) {
        if (storages.size() != layout.storageCount() || baseOffsets.length != storages.size()) {
            throw new LayoutException(LayoutException.Kind.INVALID_CONFIG, "A layout of type " + layout.type()
                    + " lies in " + layout.storageCount() + " storages, but " + storages.size() + " are given");
        }
        this.layout = layout;
        this.storages = List.copyOf(storages);
        this.storageType = storages.getFirst().type();
        this.baseOffsets = baseOffsets;
        this.segments = new MemorySegment[storages.size()];
        for (int i = 0; i < baseOffsets.length; i++) {
            Storage storage = this.storages.get(i);
            if (!storage.type().equals(storageType)) {
                throw new LayoutException(LayoutException.Kind.INVALID_CONFIG, "Storage " + i + " is of kind "
                        + storage.type() + " and storage 0 of kind " + storageType + "; give one kind");
            }
            long needed = Math.addExact(baseOffsets[i], layout.dataBytes());
            if (storage.size() < needed) {
                throw new LayoutException(LayoutException.Kind.INVALID_CONFIG, "Storage " + i + " has "
                        + storage.size() + " bytes, and the layout needs " + needed + "; allocate more");
            }
            segments[i] = cpuReachable(storageType)
                    ? storage.segment().asSlice(baseOffsets[i], layout.dataBytes())
                    : null;
        }
    }

    /**
     * Lays blocks out in storage that is there already and becomes this memory's own unless this call fails; a surplus
     * of bytes is fine.
     *
     * @throws LayoutException {@code INVALID_CONFIG} where the storages do not fit
     */
    public static BlockMemory over(BlockLayout layout, List<? extends Storage> storages) {
        return new BlockMemory(layout, storages, alignedOffsets(layout, storages));
    }

    /**
     * Finds blocks where another process has laid them out.
     *
     * @param storages its memory, mapped into this process
     * @param baseOffsets bytes from the start of each storage to its first block
     * @throws LayoutException {@code INVALID_CONFIG} where the storages do not fit
     */
    public static BlockMemory at(BlockLayout layout, List<? extends Storage> storages, long[] baseOffsets) {
        return new BlockMemory(layout, storages, baseOffsets.clone());
    }

    private static long[] alignedOffsets(BlockLayout layout, List<? extends Storage> storages) {
        return storages.stream().mapToLong(storage -> layout.baseOffset(storage.address())).toArray();
    }

    /**
     * Allocates what a layout needs and lays blocks out in it.
     *
     * @throws LayoutException {@code INVALID_CONFIG} where the layout is impossible, {@code OPERATION_FAILED} where its
     *         memory cannot be had; nothing stays allocated
     */
    public static BlockMemory allocate(LayoutConfig config, LayoutType type,
            StorageAllocator<? extends Storage> allocator) {
        BlockLayout layout = BlockLayout.of(config, type);
        List<Storage> storages = new ArrayList<>(layout.storageCount());
        try {
            for (int i = 0; i < layout.storageCount(); i++) {
                storages.add(allocator.allocate(layout.requiredAllocation()));
            }
            return over(layout, storages);
        } catch (RuntimeException | Error e) {
            try {
                closeAll(storages);
            } catch (RuntimeException suppressed) {
                e.addSuppressed(suppressed);
            }
            if (e instanceof KvbmException && !(e instanceof LayoutException)) {
                throw new LayoutException(LayoutException.Kind.OPERATION_FAILED, "No memory for " + layout.numBlocks()
                        + " blocks of " + layout.bytesPerBlock() + " bytes: " + e.getMessage(), e);
            }
            throw e;
        }
    }

    /** The layout. */
    public BlockLayout layout() {
        return layout;
    }

    /** The kind of memory. */
    public StorageType storageType() {
        return storageType;
    }

    /** The memory itself, one or one per layer. */
    public List<Storage> storages() {
        return storages;
    }

    /** What the storages are, without a way to touch them. */
    public List<MemoryRange> ranges() {
        return storages.stream().map(MemoryRange::of).toList();
    }

    /**
     * All data in one storage, from the start of the first block on.
     *
     * @throws io.kvbm.error.StorageException {@code NOT_ACCESSIBLE} where the CPU does not reach it
     */
    public MemorySegment data(int storage) {
        return slice(storage, 0, layout.dataBytes());
    }

    /**
     * All data of a block.
     *
     * @throws LayoutException {@code INVALID_CONFIG} where the layout keeps the layers apart
     */
    public MemorySegment block(int block) {
        if (!layout.blockContiguous()) {
            throw new LayoutException(LayoutException.Kind.INVALID_CONFIG,
                    "A block of type " + layout.type() + " is not one run of bytes; go layer by layer");
        }
        return slice(0, layout.offset(block, 0, 0), layout.bytesPerBlock());
    }

    /**
     * All outer parts of one layer of a block.
     *
     * @throws LayoutException {@code INVALID_CONFIG} where the layout keeps the outer parts apart
     */
    public MemorySegment layer(int block, int layer) {
        if (!layout.layerContiguous()) {
            throw new LayoutException(LayoutException.Kind.INVALID_CONFIG,
                    "A layer of type " + layout.type() + " is not one run of bytes; go part by part");
        }
        return slice(layout.storageOf(layer), layout.offset(block, layer, 0), layout.layerSize());
    }

    /** One outer part of one layer of a block. */
    public MemorySegment part(int block, int layer, int outer) {
        long offset = layout.offset(block, layer, outer);
        return slice(layout.storageOf(layer), offset, layout.regionSize());
    }

    /** The address of one outer part of one layer of a block, unsigned. */
    public long address(int block, int layer, int outer) {
        long offset = layout.offset(block, layer, outer);
        int storage = layout.storageOf(layer);
        return storages.get(storage).address() + baseOffsets[storage] + offset;
    }

    /**
     * Tells how many blocks at the start have all of their memory: at once, and again when there are more, from another
     * thread. The number never falls.
     */
    public void onReserved(IntConsumer listener) {
        int[] blocks = new int[storages.size()];
        for (int i = 0; i < blocks.length; i++) {
            int storage = i;
            storages.get(i).onReserved(bytes -> {
                synchronized (blocks) {
                    blocks[storage] = blocksWithin(bytes - baseOffsets[storage]);
                    int least = Integer.MAX_VALUE;
                    for (int count : blocks) {
                        least = Math.min(least, count);
                    }
                    listener.accept(least);
                }
            });
        }
    }

    /** Completes when all storages are reserved. */
    public CompletionStage<Void> reserved() {
        return CompletableFuture.allOf(storages.stream()
                .map(storage -> storage.reserved().toCompletableFuture())
                .toArray(CompletableFuture[]::new));
    }

    /** Whether what a block held may be gone for good, with the storage that it lay in. */
    public boolean isLost() {
        for (Storage storage : storages) {
            if (storage.isLost()) {
                return true;
            }
        }
        return false;
    }

    /** Frees the storages; the first failure is thrown with the others attached. Further calls do nothing. */
    @Override
    public void close() {
        closeAll(storages);
    }

    private static void closeAll(List<Storage> storages) {
        FirstFailure failure = new FirstFailure();
        storages.forEach(storage -> failure.attempt(storage::close));
        failure.rethrow();
    }

    private int blocksWithin(long bytes) {
        if (bytes >= layout.dataBytes()) {
            return layout.numBlocks();
        }
        long stride = layout.numBlocks() == 1 ? layout.dataBytes() : layout.offset(1, 0, 0);
        boolean ordered = layout.type() != LayoutType.LAYER_SEPARATE_OUTER_FIRST || layout.outerDim() == 1;
        return ordered && bytes > 0 ? (int) Math.min(bytes / stride, layout.numBlocks() - 1L) : 0;
    }

    private MemorySegment slice(int storage, long offset, long size) {
        MemorySegment memory = segments[storage];
        if (memory == null) {
            return storages.get(storage).segment();
        }
        return memory.asSlice(offset, size);
    }

    private static boolean cpuReachable(StorageType type) {
        return type instanceof StorageType.System || type instanceof StorageType.Pinned;
    }
}
