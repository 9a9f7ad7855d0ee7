package io.kvbm;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.cuda.Cuda;
import io.kvbm.cuda.CudaDevice;
import io.kvbm.cuda.CudaEngine;
import io.kvbm.cuda.CudaLibrary;
import io.kvbm.layout.DType;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.StorageType;

import static org.assertj.core.api.Assertions.assertThat;

/** The reference's tests of a manager with both levels: 3 layers, pages of 4, 16 pinned blocks and 8 on GPU 0. */
@Tag("cuda")
@EnabledIf("io.kvbm.cuda.Gpu#isThere")
class CudaReferenceTest {

    private final CudaLibrary library = (CudaLibrary) Cuda.find();
    private final long handles = library.openHandles();
    private final CudaDevice device = library.device(0);
    private final List<KvBlockManager> managers = new ArrayList<>();
    private long workers = 1337;

    private KvBlockManagerConfig config() {
        return KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(workers++).build())
                .model(KvManagerModelConfig.builder().numLayers(3).pageSize(4).innerDim(16).dtype(DType.FP16).build())
                .hostLayout(KvManagerLayoutConfig.builder()
                        .numBlocks(16)
                        .allocator(HostAllocator.builder().pinning(device.pinning()).build())
                        .build())
                .deviceLayout(KvManagerLayoutConfig.builder().numBlocks(8).allocator(device.allocator()).build())
                .engines(List.of(new CudaEngine(List.of(device))))
                .sharing(KvManagerSharingConfig.builder().build())
                .build();
    }

    private KvBlockManager manager() {
        KvBlockManager manager = KvBlockManager.create(config());
        managers.add(manager);
        return manager;
    }

    @AfterEach
    void nothingIsLeft() {
        managers.forEach(KvBlockManager::close);
        device.close();
        assertThat(library.openHandles()).isEqualTo(handles);
    }

    @Test
    @DisplayName("T1: a manager of both levels is made and closed in the background")
    void inTheBackground() {
        CompletionStage<KvBlockManager> made = KvBlockManager.createAsync(config());
        managers.add(made.toCompletableFuture().join());
        assertThat(managers.getFirst().device()).isPresent();
    }

    @Test
    @DisplayName("T2: a manager of both levels is made and closed by its caller")
    void byItsCaller() {
        KvBlockManager manager = manager();
        assertThat(manager.host().orElseThrow().blocks().storageType()).isEqualTo(new StorageType.Pinned());
        assertThat(manager.host().orElseThrow().totalBlocks()).isEqualTo(16);
        assertThat(manager.device().orElseThrow().blocks().storageType()).isEqualTo(new StorageType.Device(0));
        assertThat(manager.device().orElseThrow().totalBlocks()).isEqualTo(8);
    }

    @Test
    @DisplayName("T3: two managers import each other's blocksets, and resolve descriptors of each other's host blocks")
    void twoManagers() {
        KvBlockManager one = manager();
        KvBlockManager two = manager();
        assertThat(one.workerId()).isNotEqualTo(two.workerId());
        var _ = one.importBlockset(two.exportBlockset());
        var _ = two.importBlockset(one.exportBlockset());
        try (BlockList<MutableBlock> ofOne = one.host().orElseThrow().allocateBlocks(4);
                BlockList<MutableBlock> ofTwo = two.host().orElseThrow().allocateBlocks(4)) {
            List<RemoteBlock> remote = two.getRemoteBlocksMutable(BlockDescriptorList.ofMutable(ofOne));
            assertThat(remote).hasSize(4);
            assertThat(ofTwo).hasSize(4);
        }
    }
}
