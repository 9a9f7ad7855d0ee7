package io.kvbm.spring.boot.autoconfigure;

import org.springframework.util.unit.DataSize;

import io.kvbm.KvManagerModelConfig;
import io.kvbm.layout.BlockLayout;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.pool.BlockPool;
import io.kvbm.spring.boot.autoconfigure.KvbmProperties.Host;

/** How many blocks the host level has: as many as are asked for, or as fit into a size. */
final class HostSize {

    private static final String EITHER = "Set exactly one of kvbm.host.size and kvbm.host.blocks.";

    private final Host host;
    private final KvManagerModelConfig model;

    HostSize(Host host, KvManagerModelConfig model) {
        this.host = host;
        this.model = model;
    }

    int blocks() {
        if (host.blocks() != null && host.size() != null) {
            throw new InvalidKvbmPropertyException("kvbm.host.blocks",
                    "is " + host.blocks() + " and kvbm.host.size is " + host.size() + ", and both state the size",
                    EITHER);
        }
        if (host.blocks() != null) {
            return within("kvbm.host.blocks", host.blocks());
        }
        if (host.size() == null) {
            throw InvalidKvbmPropertyException.missing("kvbm.host.size", EITHER);
        }
        return within("kvbm.host.size", blocksIn(host.size()));
    }

    private long blocksIn(DataSize size) {
        long perBlock = bytesPerBlock();
        if (size.toBytes() < perBlock) {
            throw new InvalidKvbmPropertyException("kvbm.host.size",
                    "is " + size + ", less than the " + perBlock + " bytes of one block", "Set at least one block.");
        }
        return size.toBytes() / perBlock;
    }

    /** What two blocks take beyond one, so with the padding between them. */
    private long bytesPerBlock() {
        BlockLayout one = layout(1);
        BlockLayout two = layout(2);
        return (two.dataBytes() - one.dataBytes()) * one.storageCount();
    }

    private BlockLayout layout(int blocks) {
        return BlockLayout.of(LayoutConfig.builder()
                .numBlocks(blocks)
                .numLayers(model.numLayers())
                .outerDim(model.outerDim())
                .pageSize(model.pageSize())
                .innerDim(model.innerDim())
                .alignment(host.alignment())
                .dtype(model.dtype())
                .build(), host.layout());
    }

    private static int within(String property, long blocks) {
        if (blocks < 1 || blocks > BlockPool.MAX_BLOCKS) {
            throw new InvalidKvbmPropertyException(property, "means " + blocks + " blocks",
                    "Set it so that there are 1 to " + BlockPool.MAX_BLOCKS + " blocks.");
        }
        return (int) blocks;
    }
}
