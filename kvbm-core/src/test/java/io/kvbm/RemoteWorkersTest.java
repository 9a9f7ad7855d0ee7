package io.kvbm;

import java.nio.charset.StandardCharsets;
import java.util.List;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.RemoteException;
import io.kvbm.layout.LayoutType;
import io.kvbm.remote.Blockset;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.BlocksetJson;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.Peer;
import io.kvbm.remote.PutRequest;
import io.kvbm.testing.ProcessTable;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/** Workers that map each other's memory. */
@EnabledOnOs(OS.LINUX)
class RemoteWorkersTest extends WorkersInTwoProcesses {

    private long mapped;

    @Override
    ToyWorker of(ToyWorker any) {
        return any;
    }

    @Override
    boolean maps() {
        return true;
    }

    @BeforeEach
    @Override
    void startHere() throws Exception {
        mapped = ProcessTable.mappings();
        super.startHere();
    }

    @AfterEach
    @Override
    void nothingIsHeld() throws Exception {
        super.nothingIsHeld();
        assertThat(ProcessTable.mappings()).isEqualTo(mapped);
    }

    @Test
    void theReferencesFormNamesBlocksAndTheCompactOneReachesThem() {
        restart(plain(0), plain(1));
        byte[] ours = BlocksetJson.write(zero.exportBlockset());
        assertThat(one.order("import-json " + new String(ours, StandardCharsets.UTF_8))).isEqualTo("false");
        Blockset theirs = BlocksetJson.read(one.order("export-json").getBytes(StandardCharsets.UTF_8));
        Peer peer = peering.importBlockset(theirs, one.link);
        assertThat(peer.isMapped()).isFalse();
        assertThat(peer.hits()).isFalse();

        BlockDescriptorList sent = ofOne("take 2");
        one.order("fill 10");
        one.order("let-write 0");
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(2)) {
            List<RemoteBlock> known = zero.getRemoteBlocksMutable(sent);
            assertThat(known).allMatch(block -> block.layout().config().equals(mine.getFirst().layout().config()));
            assertThatThrownBy(() -> zero.get(new GetRequest(known, mine, ""))).isInstanceOf(RemoteException.class)
                    .hasMessageContaining("not on this host, or not shared");
            assertThatThrownBy(() -> zero.put(new PutRequest(mine, known, ""))).isInstanceOf(RemoteException.class)
                    .hasMessageContaining("fetch its blockset anew");

            assertThat(one.order("import")).isEqualTo("true");
            assertThat(peering.importBlockset(one.blockset(0), one.link).isMapped()).isTrue();
            assertThatThrownBy(() -> peering.importBlockset(theirs, one.link)).isInstanceOf(RemoteException.class)
                    .hasMessageContaining("is known already");
            assertThatThrownBy(() -> zero.get(new GetRequest(known, mine, ""))).hasMessageContaining("epoch 0");
            List<RemoteBlock> reached = zero.getRemoteBlocksMutable(sent);
            zero.get(new GetRequest(reached, mine, ""));
            assertFilled(mine, 10);
            Filling.fill(mine, 20);
            zero.put(new PutRequest(mine, reached, ""));
            assertThat(one.order("check 20")).isEmpty();
        }
    }

    @Test
    void theReferencesFormHasNoWordsForOtherLayouts() {
        meet(LayoutType.LAYER_SEPARATE, LayoutType.LAYER_SEPARATE);
        assertThatThrownBy(() -> BlocksetJson.write(zero.exportBlockset())).isInstanceOf(RemoteException.class);
        assertThatThrownBy(() -> one.order("export-json")).hasMessageContaining("UNSUPPORTED_LAYOUT");
        assertThat(BlocksetCodec.decode(BlocksetCodec.encode(zero.exportBlockset()))).isEqualTo(zero.exportBlockset());
    }
}
