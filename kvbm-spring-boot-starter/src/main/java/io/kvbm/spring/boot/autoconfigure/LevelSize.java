package io.kvbm.spring.boot.autoconfigure;

import org.jspecify.annotations.Nullable;
import org.springframework.util.unit.DataSize;

import io.kvbm.KvManagerModelConfig;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;

/**
 * How many blocks a level has: as many as are asked for, or as fit into a size.
 *
 * @param level the name that the level's properties begin with
 */
record LevelSize(String level, @Nullable Integer blocks, @Nullable DataSize size, LayoutType layout, int alignment) {

    static LevelSize of(KvbmProperties.Host host) {
        return new LevelSize("kvbm.host", host.blocks(), host.size(), host.layout(), host.alignment());
    }

    static LevelSize of(KvbmProperties.Device device) {
        return new LevelSize("kvbm.device", device.blocks(), device.size(), device.layout(), device.alignment());
    }

    /** The property that states the size. */
    String property() {
        return level + (blocks == null ? ".size" : ".blocks");
    }

    int blocksOf(KvManagerModelConfig model) {
        if (alignment < 1 || Integer.bitCount(alignment) != 1) {
            throw new InvalidKvbmPropertyException(level + ".alignment", "is " + alignment,
                    "Set a power of two, or 1 for none.");
        }
        if (blocks != null && size != null) {
            throw new InvalidKvbmPropertyException(property(),
                    "is " + blocks + " and " + level + ".size is " + size + ", and both state the size", either());
        }
        if (blocks != null) {
            return within(blocks);
        }
        if (size == null) {
            throw InvalidKvbmPropertyException.missing(property(), either());
        }
        return within(blocksIn(size, model));
    }

    private String either() {
        return "Set exactly one of " + level + ".size and " + level + ".blocks.";
    }

    private long blocksIn(DataSize bytes, KvManagerModelConfig model) {
        long perBlock = bytesPerBlock(model);
        if (bytes.toBytes() < perBlock) {
            throw new InvalidKvbmPropertyException(property(),
                    "is " + bytes + ", less than the " + perBlock + " bytes of one block", "Set at least one block.");
        }
        return bytes.toBytes() / perBlock;
    }

    /** What two blocks take beyond one, so with the padding between them. */
    private long bytesPerBlock(KvManagerModelConfig model) {
        BlockLayout one = layout(1, model);
        BlockLayout two = layout(2, model);
        return (two.dataBytes() - one.dataBytes()) * one.storageCount();
    }

    private BlockLayout layout(int number, KvManagerModelConfig model) {
        return BlockLayout.of(LayoutConfig.builder()
                .numBlocks(number)
                .numLayers(model.numLayers())
                .outerDim(model.outerDim())
                .pageSize(model.pageSize())
                .innerDim(model.innerDim())
                .alignment(alignment)
                .dtype(model.dtype())
                .build(), layout);
    }

    private int within(long number) {
        if (number < 1 || number > BlockPool.MAX_BLOCKS) {
            throw new InvalidKvbmPropertyException(property(), "means " + number + " blocks",
                    "Set it so that there are 1 to " + BlockPool.MAX_BLOCKS + " blocks.");
        }
        return (int) number;
    }
}
