package io.kvbm;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutabilityKind;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.StorageException;
import io.kvbm.layout.DType;
import io.kvbm.nixl.InstalledNixl;
import io.kvbm.nixl.NixlAgentConfig;
import io.kvbm.nixl.NixlTransport;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.Blockset;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.BlocksetJson;
import io.kvbm.remote.ExportedLevel;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.Peering;
import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.transfer.RemoteTransport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

/** The reference's tests that need an agent, over NIXL, with the host level alone. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class NixlReferenceTest {

    private static long starts;

    private final List<Worker> workers = new ArrayList<>();

    /** A worker that shares its blocks by NIXL; its agent is named as the reference names one, and by its life. */
    private final class Worker {

        final HostStorage memory = HostAllocator.create().allocate(1 << 16);
        final NixlTransport transport;
        final KvBlockManager manager;

        Worker(long id, int blocks, int layers, int innerDim) {
            starts++;
            transport = NixlTransport.start(InstalledNixl.library(),
                    NixlAgentConfig.of(RemoteTransport.agentName(id, starts)), "UCX", Map.of());
            manager = KvBlockManager.create(KvBlockManagerConfig.builder()
                    .runtime(KvManagerRuntimeConfig.builder().workerId(id).epoch(starts).build())
                    .model(KvManagerModelConfig.builder()
                            .numLayers(layers)
                            .pageSize(4)
                            .innerDim(innerDim)
                            .dtype(DType.FP16)
                            .build())
                    .hostLayout(KvManagerLayoutConfig.builder().numBlocks(blocks).storage(List.of(memory)).build())
                    .sharing(KvManagerSharingConfig.builder()
                            .memories(PeerMemory.Source.NONE)
                            .transport(transport)
                            .build())
                    .build());
            workers.add(this);
        }

        BlockPool host() {
            return manager.host().orElseThrow();
        }

        Peering peering() {
            return manager.peering().orElseThrow();
        }

        void learn(Worker other) {
            Blockset sent = BlocksetCodec.decode(BlocksetCodec.encode(other.manager.exportBlockset()));
            peering().importBlockset(sent, other.peering().desk());
        }

        void close() {
            assertThat(host().stats().holders()).isZero();
            manager.close();
            transport.close();
        }
    }

    @AfterEach
    void nothingIsHeld() {
        workers.forEach(Worker::close);
    }

    /** The reference's manager: 16 host blocks of 3 layers. */
    private Worker manager(long id) {
        return new Worker(id, 16, 3, 16);
    }

    /** The layout of the reference's tests of NIXL. */
    private Worker layout(long id) {
        return new Worker(id, 10, 2, 13);
    }

    @Test
    @DisplayName("T2: constructs, registers its memory and closes with no runtime around")
    void constructsAndCloses() {
        Worker worker = manager(1337);
        assertThat(worker.memory.registrations().isRegistered("nixl")).isTrue();
        assertThat(worker.manager.exportBlockset().agentMetadata()).isNotEmpty();
        assertThat(worker.host().availableBlocks()).isEqualTo(16);
    }

    @Test
    @DisplayName("T1: constructs and closes in a virtual thread")
    void constructsAndClosesInAVirtualThread() throws Exception {
        List<Throwable> failures = new ArrayList<>();
        Thread.ofVirtual().uncaughtExceptionHandler((_, failure) -> failures.add(failure)).start(() -> {
            manager(1337);
            workers.removeLast().close();
        }).join();
        assertThat(failures).isEmpty();
        assertThat(workers).isEmpty();
    }

    @Test
    @DisplayName("T3: each of two managers imports the other's blockset and resolves its blocks")
    void twoManagers() {
        Worker zero = manager(0);
        Worker one = manager(1);
        zero.learn(one);
        one.learn(zero);
        assertThat(zero.manager.exportBlockset().workerId()).isNotEqualTo(one.manager.exportBlockset().workerId());
        try (BlockList<MutableBlock> blocks0 = zero.host().allocateBlocks(4);
                BlockList<MutableBlock> blocks1 = one.host().allocateBlocks(4)) {
            BlockDescriptorList list = BlockDescriptorList.fromJson(BlockDescriptorList.ofMutable(blocks0).toJson());
            assertThat(list.mutability()).isEqualTo(MutabilityKind.MUTABLE);
            List<RemoteBlock> remote0 = one.manager.getRemoteBlocksMutable(list);
            assertThat(remote0).extracting(RemoteBlock::id)
                    .containsExactlyElementsOf(blocks0.stream().map(MutableBlock::id).toList());
            assertThat(remote0).allMatch(RemoteBlock::isMutable);

            Filling.fill(blocks0, 100);
            one.manager.get(GetRequest.builder().from(remote0).to(blocks1).build());
            assertThat(Filling.firstOther(blocks1, 100)).isEmpty();
        }
    }

    @Test
    @DisplayName("T7: blocks of registered memory say where they are, and so do those that come from what is exported")
    void blocksOfRegisteredMemory() {
        Worker owner = layout(0);
        Worker other = layout(1);
        other.learn(owner);
        int set = owner.host().blocks().number();
        try (BlockList<MutableBlock> blocks = owner.host().allocateBlocks(2)) {
            for (int i = 0; i < 2; i++) {
                MutableBlock block = blocks.get(i);
                assertThat(block.index()).isEqualTo(i);
                assertThat(block.id().blockSet()).isEqualTo(set);
                assertThat(block.segment().address()).isEqualTo(owner.memory.address() + i * 208L);
                assertThat(block.segment().byteSize()).isEqualTo(208);
            }
            List<RemoteBlock> remote = other.manager
                    .getRemoteBlocksImmutable(BlockDescriptorList.ofMutable(blocks.subList(0, 1)));
            assertThat(remote).singleElement().satisfies(block -> {
                assertThat(block.id()).isEqualTo(blocks.getFirst().id());
                assertThat(block.id().workerId()).isZero();
                assertThat(block.storageType()).isEqualTo(owner.memory.type());
                assertThat(block.layout().bytesPerBlock()).isEqualTo(208);
            });
        }
    }

    @Test
    @DisplayName("T27: the layout of registered memory is written and read back with the same kind of storage")
    void theLayoutOfRegisteredMemory() {
        Worker owner = layout(0);
        assertThat(owner.memory.registrations().isRegistered("nixl")).isTrue();
        Blockset exported = owner.manager.exportBlockset();
        for (Blockset read : List.of(BlocksetCodec.decode(BlocksetCodec.encode(exported)),
                BlocksetJson.read(BlocksetJson.write(exported)))) {
            ExportedLevel level = read.levels().getFirst();
            assertThat(level.storageType()).isEqualTo(owner.memory.type());
            assertThat(level.blockLayout().dataBytes()).isEqualTo(2080);
            assertThat(level.memory().getFirst().address()).isEqualTo(owner.memory.address());
            assertThat(read.agentMetadata()).isEqualTo(exported.agentMetadata());
        }
    }

    @Test
    @DisplayName("T27: memory that is registered is not registered again, and its agent is not even asked")
    void registeredOnce() {
        Worker owner = layout(0);
        byte[] metadata = owner.transport.metadata();
        assertThatThrownBy(() -> owner.transport.register(owner.memory))
                .asInstanceOf(type(StorageException.class))
                .extracting(StorageException::kind)
                .isEqualTo(StorageException.Kind.REGISTRATION_KEY_EXISTS);
        assertThat(owner.transport.metadata()).isEqualTo(metadata);
    }

    @Test
    @DisplayName("T27: memory that goes is withdrawn, and what it was registered with goes on")
    void memoryThatGoes() {
        Worker owner = layout(0);
        HostStorage more = HostAllocator.create().allocate(1 << 16);
        byte[] without = owner.transport.metadata();
        owner.transport.register(more);
        assertThat(owner.transport.metadata()).isNotEqualTo(without);
        more.close();
        assertThat(owner.transport.metadata()).hasSameSizeAs(without);
    }
}
