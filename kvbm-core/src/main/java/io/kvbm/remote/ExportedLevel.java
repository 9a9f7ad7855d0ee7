package io.kvbm.remote;

import java.util.List;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.BlockSet;
import io.kvbm.error.LayoutException;
import io.kvbm.error.RemoteException;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.storage.CacheLevel;
import io.kvbm.storage.StorageType;
import io.kvbm.transfer.BlockRanges;

/**
 * One block set that a worker exports: how its blocks are laid out, and in which memory.
 *
 * @param blockSet the number of the set at its worker, from 0
 * @param level the level the memory belongs to
 * @param layoutType how the blocks are laid out
 * @param layout the dimensions
 * @param memory all of one kind, one run for each storage of the layout, in its order
 * @param shared where processes of the same host find the memory, or null where they cannot
 */
public record ExportedLevel(int blockSet, CacheLevel level, LayoutType layoutType, LayoutConfig layout,
        List<ExportedMemory> memory, @Nullable SharedMemoryAddress shared) {

    /**
     * Takes a block set over. The sizes and the base offsets are derived again from the dimensions and compared.
     *
     * @throws RemoteException {@code MALFORMED} where the numbers are impossible or contradict each other, {@code LIMIT}
     *         where there is more memory than a blockset may have
     */
    public ExportedLevel {
        if (memory.size() > Blockset.MAX_MEMORIES) {
            throw Refusal.tooMuch("The number of memories of block set " + blockSet, memory.size(),
                    Blockset.MAX_MEMORIES);
        }
        memory = List.copyOf(memory);
        if (blockSet < 0) {
            throw Refusal.malformed("Block set " + blockSet + " is exported; block sets count from 0");
        }
        BlockLayout derived = derive(blockSet, layout, layoutType);
        if (memory.size() != derived.storageCount()) {
            throw Refusal.malformed("Block set " + blockSet + " of layout " + layoutType + " lies in "
                    + derived.storageCount() + " memories, but " + memory.size() + " are exported");
        }
        for (ExportedMemory run : memory) {
            requireFits(blockSet, derived, run, memory.getFirst().type());
        }
        if (shared != null) {
            requireShareable(blockSet, memory, shared);
        }
    }

    /** What a pool exports: all of its blocks. */
    static ExportedLevel of(BlockPool pool) {
        BlockSet blocks = pool.blocks();
        BlockLayout layout = blocks.layout();
        List<ExportedMemory> memory = blocks.ranges()
                .stream()
                .map(range -> new ExportedMemory(range.type(), range.address(), range.size(),
                        layout.baseOffset(range.address())))
                .toList();
        return new ExportedLevel(blocks.number(), blocks.level(), layout.type(), layout.config(), memory,
                pool.board().map(SharedMemoryAddress::of).orElse(null));
    }

    private static BlockLayout derive(int blockSet, LayoutConfig layout, LayoutType type) {
        try {
            return BlockLayout.of(layout, type);
        } catch (LayoutException e) {
            throw Refusal.malformed("Block set " + blockSet + " has an impossible layout: " + e.getMessage(), e);
        }
    }

    private static void requireFits(int blockSet, BlockLayout layout, ExportedMemory run, StorageType type) {
        if (!run.type().equals(type)) {
            throw Refusal.malformed("Block set " + blockSet + " lies in memory of kind " + type + " and of kind "
                    + run.type() + "; it has one kind");
        }
        long baseOffset = layout.baseOffset(run.address());
        if (run.baseOffset() != baseOffset) {
            throw Refusal.malformed("Block set " + blockSet + " states a base offset of " + run.baseOffset()
                    + ", but alignment " + layout.config().alignment() + " makes it " + baseOffset + " at address "
                    + Long.toUnsignedString(run.address()));
        }
        long needed = Math.addExact(baseOffset, layout.dataBytes());
        if (run.size() < needed) {
            throw Refusal.malformed("Block set " + blockSet + " needs " + needed + " bytes in each memory, but "
                    + run.size() + " are exported");
        }
    }

    private static void requireShareable(int blockSet, List<ExportedMemory> memory, SharedMemoryAddress shared) {
        if (shared.memoryDescriptors().size() != memory.size()) {
            throw Refusal.malformed("Block set " + blockSet + " lies in " + memory.size() + " memories, but shares "
                    + shared.memoryDescriptors().size());
        }
        if (!isHost(memory.getFirst().type())) {
            throw Refusal.malformed("Block set " + blockSet + " shares memory of kind " + memory.getFirst().type()
                    + "; only host memory can be mapped by others");
        }
    }

    /** Where each block lies in its memory. */
    public BlockLayout blockLayout() {
        return BlockLayout.of(layout, layoutType);
    }

    /** Where the blocks lie at their owner. */
    BlockRanges ranges() {
        return new BlockRanges(blockLayout(),
                memory.stream().mapToLong(run -> run.address() + run.baseOffset()).toArray());
    }

    /** The kind of memory. */
    public StorageType storageType() {
        return memory.getFirst().type();
    }

    /** The number of blocks. */
    public int numBlocks() {
        return layout.numBlocks();
    }

    /**
     * Refuses blocks of another shape than ours: two blocks can be copied into each other where all dimensions but their
     * number and alignment are equal.
     *
     * @throws RemoteException {@code GEOMETRY}
     */
    void requireShape(LayoutConfig ours) {
        if (ours.numLayers() != layout.numLayers() || ours.outerDim() != layout.outerDim()
                || ours.pageSize() != layout.pageSize() || ours.innerDim() != layout.innerDim()
                || ours.dtype() != layout.dtype()) {
            throw new RemoteException(RemoteException.Kind.GEOMETRY, "The blocks of block set " + blockSet
                    + " are of " + layout + ", ours of " + ours + "; workers share blocks of one shape only");
        }
    }

    static boolean isHost(StorageType type) {
        return type instanceof StorageType.System || type instanceof StorageType.Pinned;
    }
}
