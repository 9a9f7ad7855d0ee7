package io.kvbm;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.Block;
import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.ConfigException;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.LayoutType;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.Peering;
import io.kvbm.remote.PutRequest;
import io.kvbm.remote.WriteLease;
import io.kvbm.remote.Writer;
import io.kvbm.token.IdentityChain;
import io.kvbm.transfer.TransferRequest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** Two managers of one process, each of which reads and fills blocks of the other. */
class RemoteBlocksTest {

    private static final Duration LONG = Duration.ofSeconds(60);

    private final List<KvBlockManager> managers = new ArrayList<>();

    @AfterEach
    void nothingIsHeld() {
        for (KvBlockManager manager : managers) {
            assertThat(manager.host().orElseThrow().stats().holders()).isZero();
            manager.close();
        }
    }

    private KvBlockManager manager(long worker, LayoutType layout) {
        KvBlockManager manager = KvBlockManager.create(ToyModel.config(16, layout)
                .runtime(KvManagerRuntimeConfig.builder().workerId(worker).build())
                .sharing(KvManagerSharingConfig.builder().build())
                .build());
        managers.add(manager);
        return manager;
    }

    /** Both import what the other one exports, in its compact form, with the other one's desk as the way to it. */
    private static void introduce(KvBlockManager one, KvBlockManager other) {
        Peering here = one.peering().orElseThrow();
        Peering there = other.peering().orElseThrow();
        here.importBlockset(BlocksetCodec.decode(BlocksetCodec.encode(other.exportBlockset())), there.desk());
        there.importBlockset(BlocksetCodec.decode(BlocksetCodec.encode(one.exportBlockset())), here.desk());
    }

    private static BlockPool host(KvBlockManager manager) {
        return manager.host().orElseThrow();
    }

    private static void assertFilled(List<? extends Block> blocks, int seed) {
        assertThat(Filling.firstOther(blocks, seed)).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(LayoutType.class)
    @DisplayName("14.2: the disabled end of T3, with bytes")
    void theDisabledEndOfT3(LayoutType layout) {
        KvBlockManager zero = manager(0, LayoutType.FULLY_CONTIGUOUS);
        KvBlockManager one = manager(1, layout);
        introduce(zero, one);
        try (BlockList<MutableBlock> blocks0 = host(zero).allocateBlocks(4);
                BlockList<MutableBlock> blocks1 = host(one).allocateBlocks(4)) {
            Filling.fill(blocks0, 100);
            Filling.fill(blocks1, 200);
            WriteLease lease = zero.peering().orElseThrow().leases().write(host(zero), blocks0, 1, Writer.ASKS, LONG);
            String sent = BlockDescriptorList.ofMutable(blocks0).toJson();
            assertThat(sent).isEqualTo("{\"worker_id\":0,\"block_set_idx\":1,\"mutability\":\"Mutable\","
                    + "\"block_indices\":[0,1,2,3]}");
            List<RemoteBlock> remote0 = one.getRemoteBlocksMutable(BlockDescriptorList.fromJson(sent));

            // 1: the same blocks on both sides
            PutRequest ofItself = new PutRequest(blocks0, remote0, "");
            assertThatThrownBy(ofItself::validateBlocks).isInstanceOf(TransferException.class)
                    .hasMessageContaining("both a source and a destination");

            // 2 and 3: bytes of one in the memory of zero
            List<String> told = new ArrayList<>();
            zero.peering().orElseThrow().desk().listen((worker, text) -> told.add(worker + " " + text));
            PutRequest put = PutRequest.builder().from(blocks1).to(remote0).notification("four blocks").build();
            put.validateBlocks();
            one.put(put);
            assertFilled(blocks0, 200);
            assertThat(told).containsExactly("1 four blocks");

            // 4: the second half into the first, locally
            TransferRequest local = TransferRequest.put()
                    .from(blocks1.subList(2, 4))
                    .to(blocks1.subList(0, 2))
                    .build();
            local.validateBlocks();
            one.transfers().execute(local);
            assertFilled(blocks1.subList(0, 2), 202);

            assertThatThrownBy(() -> new PutRequest(blocks1.subList(0, 3), remote0, ""))
                    .hasMessageContaining("3 sources")
                    .hasMessageContaining("4 destinations");
            assertThatThrownBy(() -> new PutRequest(List.of(), List.of(), ""))
                    .isInstanceOf(TransferException.class);
            assertThatThrownBy(() -> new PutRequest(blocks1.subList(0, 2), List.of(remote0.get(0), remote0.get(0)), "")
                    .validateBlocks()).hasMessageContaining("twice");
            zero.peering().orElseThrow().leases().end(1, lease.number());
        }
    }

    @Test
    void whatIsNotLeasedIsNotFilled() {
        KvBlockManager zero = manager(0, LayoutType.FULLY_CONTIGUOUS);
        KvBlockManager one = manager(1, LayoutType.FULLY_CONTIGUOUS);
        KvBlockManager two = manager(2, LayoutType.FULLY_CONTIGUOUS);
        introduce(zero, one);
        introduce(zero, two);
        try (BlockList<MutableBlock> mine = host(zero).allocateBlocks(2);
                BlockList<MutableBlock> theirs = host(one).allocateBlocks(2);
                BlockList<MutableBlock> strangers = host(two).allocateBlocks(2)) {
            Filling.fill(mine, 1);
            BlockDescriptorList list = BlockDescriptorList.ofMutable(mine);
            assertThatThrownBy(() -> one.put(new PutRequest(theirs, one.getRemoteBlocksMutable(list), "")))
                    .isInstanceOf(RemoteException.class)
                    .hasMessageContaining("not leased to worker 1");
            WriteLease lease = zero.peering().orElseThrow().leases().write(host(zero), mine, 1, Writer.ASKS, LONG);
            assertThatThrownBy(() -> two.put(new PutRequest(strangers, two.getRemoteBlocksMutable(list), "")))
                    .hasMessageContaining("not leased to worker 2");
            zero.peering().orElseThrow().leases().revoke(lease);
            assertThatThrownBy(() -> one.put(new PutRequest(theirs, one.getRemoteBlocksMutable(list), "")))
                    .hasMessageContaining("not leased to worker 1");
            assertFilled(mine, 1);
        }
    }

    @Test
    void aLeasedBlockIsNeitherFreeNorRegisteredBeforeTheLeaseIsOver() {
        KvBlockManager zero = manager(0, LayoutType.FULLY_CONTIGUOUS);
        BlockPool pool = host(zero);
        BlockList<MutableBlock> mine = pool.allocateBlocks(2);
        WriteLease lease = zero.peering().orElseThrow().leases().write(pool, mine, 1, Writer.WRITES, LONG);
        int[] tokens = IntStream.range(0, 8).toArray();
        assertThatThrownBy(() -> pool.registerBlocks(mine, chain(zero, tokens), 0)).hasMessageContaining("pinned");
        mine.close();
        assertThat(pool.availableBlocks()).isEqualTo(14);
        zero.peering().orElseThrow().leases().revoke(lease);
        assertThat(pool.availableBlocks()).isEqualTo(14);
        assertThat(zero.peering().orElseThrow().leases().stats().quarantined()).isEqualTo(2);
        zero.peering().orElseThrow().leases().end(1, lease.number());
        assertThat(pool.availableBlocks()).isEqualTo(16);
    }

    private static IdentityChain chain(KvBlockManager manager, int[] tokens) {
        IdentityChain chain = manager.chain("");
        chain.extend(tokens, 0, tokens.length);
        return chain;
    }

    @Test
    void contentThatIsNamedByItsGenerationIsFetchedOrRefused() {
        KvBlockManager zero = manager(0, LayoutType.LAYER_SEPARATE);
        KvBlockManager one = manager(1, LayoutType.FULLY_CONTIGUOUS);
        introduce(zero, one);
        int[] tokens = IntStream.range(0, 12).toArray();
        BlockDescriptorList named;
        try (BlockList<MutableBlock> mine = host(zero).allocateBlocks(3)) {
            Filling.fill(mine, 40);
            try (BlockList<ImmutableBlock> registered = host(zero).registerBlocks(mine, chain(zero, tokens), 0)) {
                named = BlockDescriptorList.ofImmutable(registered);
            }
        }
        assertThatThrownBy(() -> one.getRemoteBlocksMutable(named)).isInstanceOf(RemoteException.class)
                .hasMessageContaining("permits reading only");
        List<RemoteBlock> remote = one.getRemoteBlocksImmutable(named);
        try (BlockList<MutableBlock> copies = host(one).allocateBlocks(3)) {
            one.get(GetRequest.builder().from(remote).to(copies).build());
            assertFilled(copies, 40);
            host(zero).clear();
            assertThatThrownBy(() -> one.get(GetRequest.builder().from(remote).to(copies).build()))
                    .isInstanceOf(RemoteException.class)
                    .hasMessageContaining("STALE");
        }
    }

    @Test
    void withoutSharingTheCallsSayWhatIsMissing() {
        try (KvBlockManager alone = KvBlockManager.create(ToyModel.config(4, LayoutType.FULLY_CONTIGUOUS).build())) {
            assertThat(alone.peering()).isEmpty();
            assertThatThrownBy(alone::exportBlockset).isInstanceOf(ConfigException.class)
                    .hasMessageContaining("configure sharing");
        }
    }
}
