package io.kvbm.block;

import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.DescriptorException;

/**
 * Names blocks of one worker's block set to another worker.
 *
 * <p>
 * The epoch and the generations are ours: they let the owner's side tell whether the named content is still there. A
 * list without them, as the reference sends it, names memory only.
 */
public final class BlockDescriptorList {

    /** The number of blocks one list names at most. */
    public static final int MAX_BLOCKS = 1 << 20;

    private final long workerId;
    private final int blockSet;
    private final MutabilityKind mutability;
    private final int[] indices;
    private final OptionalLong epoch;
    private final long @Nullable [] generations;

    private BlockDescriptorList(long workerId, int blockSet, MutabilityKind mutability, int[] indices,
            OptionalLong epoch, long @Nullable [] generations) {
        if (indices.length == 0) {
            throw new DescriptorException(DescriptorException.Kind.EMPTY_INPUT,
                    "The descriptor list names no block; describe at least one");
        }
        if (indices.length > MAX_BLOCKS) {
            throw new DescriptorException(DescriptorException.Kind.SERIALIZATION, "The descriptor list names "
                    + indices.length + " blocks, over the limit of " + MAX_BLOCKS + "; split it");
        }
        if (generations != null && generations.length != indices.length) {
            throw new DescriptorException(DescriptorException.Kind.SERIALIZATION, "The descriptor list names "
                    + indices.length + " blocks and " + generations.length + " generations; give one for each block");
        }
        this.workerId = workerId;
        this.blockSet = blockSet;
        this.mutability = mutability;
        this.indices = indices;
        this.epoch = epoch;
        this.generations = generations;
    }

    /**
     * Describes blocks of which the holder may write the memory.
     *
     * @throws DescriptorException {@code EMPTY_INPUT}, {@code NOT_HOMOGENEOUS} or {@code INVALID_BLOCK_HANDLE}
     */
    public static BlockDescriptorList ofMutable(List<MutableBlock> blocks) {
        return of(blocks, MutabilityKind.MUTABLE, null);
    }

    /**
     * Describes registered blocks with the generation of each and, where other processes can read them, the epoch in
     * which generations count.
     *
     * @throws DescriptorException {@code EMPTY_INPUT}, {@code NOT_HOMOGENEOUS} or {@code INVALID_BLOCK_HANDLE}
     */
    public static BlockDescriptorList ofImmutable(List<ImmutableBlock> blocks) {
        requireOpen(blocks);
        long[] generations = blocks.stream().mapToLong(ImmutableBlock::generation).toArray();
        BlockDescriptorList list = of(blocks, MutabilityKind.IMMUTABLE, generations);
        OptionalLong epoch = blocks.getFirst().owner().epoch();
        return epoch.isPresent() ? list.withEpoch(epoch.getAsLong()) : list;
    }

    /** A list from its parts, as it comes from another worker. */
    static BlockDescriptorList of(long workerId, int blockSet, MutabilityKind mutability, int[] indices,
            OptionalLong epoch, long @Nullable [] generations) {
        return new BlockDescriptorList(workerId, blockSet, mutability, indices, epoch, generations);
    }

    private static BlockDescriptorList of(List<? extends BlockHandle> blocks, MutabilityKind mutability,
            long @Nullable [] generations) {
        requireOpen(blocks);
        int[] indices = new int[blocks.size()];
        for (int i = 0; i < indices.length; i++) {
            BlockId first = blocks.getFirst().id();
            BlockId id = blocks.get(i).id();
            if (id.workerId() != first.workerId() || id.blockSet() != first.blockSet()) {
                throw new DescriptorException(DescriptorException.Kind.NOT_HOMOGENEOUS, "Block " + id + " and block "
                        + first + " are not of the same worker and block set; describe them in lists of their own");
            }
            indices[i] = id.index();
        }
        BlockId first = indices.length == 0 ? new BlockId(0, 0, 0) : blocks.getFirst().id();
        return new BlockDescriptorList(first.workerId(), first.blockSet(), mutability, indices, OptionalLong.empty(),
                generations);
    }

    private static void requireOpen(List<? extends BlockHandle> blocks) {
        for (BlockHandle block : blocks) {
            if (block.isClosed()) {
                throw new DescriptorException(DescriptorException.Kind.INVALID_BLOCK_HANDLE,
                        "Block " + block.id() + " was closed; describe blocks while their handles are open");
            }
        }
    }

    /**
     * Reads the JSON form.
     *
     * @throws DescriptorException {@code SERIALIZATION} where the text is anything else
     */
    public static BlockDescriptorList fromJson(String json) {
        return BlockDescriptorJson.read(json);
    }

    /**
     * Writes the JSON form of the reference, to which {@code epoch} and {@code generations} are added where known.
     */
    public String toJson() {
        return BlockDescriptorJson.write(this);
    }

    /** The same list under the epoch of the worker that owns the blocks. */
    public BlockDescriptorList withEpoch(long ownerEpoch) {
        return new BlockDescriptorList(workerId, blockSet, mutability, indices, OptionalLong.of(ownerEpoch),
                generations);
    }

    /** The worker that owns the blocks, unsigned. */
    public long workerId() {
        return workerId;
    }

    /** The block set inside the worker. */
    public int blockSet() {
        return blockSet;
    }

    /** Whether the blocks may be written. */
    public MutabilityKind mutability() {
        return mutability;
    }

    /** The number of blocks. */
    public int size() {
        return indices.length;
    }

    /** The index of one of the blocks in its set. */
    public int index(int i) {
        return indices[i];
    }

    /** The address of one of the blocks. */
    public BlockId id(int i) {
        return new BlockId(workerId, blockSet, indices[i]);
    }

    /** The epoch of the worker when the list was made. */
    public OptionalLong epoch() {
        return epoch;
    }

    /** The generation of one of the blocks when the list was made. */
    public OptionalLong generation(int i) {
        return generations == null ? OptionalLong.empty() : OptionalLong.of(generations[i]);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof BlockDescriptorList that && workerId == that.workerId && blockSet == that.blockSet
                && mutability == that.mutability && Arrays.equals(indices, that.indices) && epoch.equals(that.epoch)
                && Arrays.equals(generations, that.generations);
    }

    @Override
    public int hashCode() {
        return Long.hashCode(workerId) * 31 + Arrays.hashCode(indices);
    }

    @Override
    public String toString() {
        return toJson();
    }
}
