package io.kvbm;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

import io.kvbm.block.BlockDescriptorList;
import io.kvbm.block.BlockList;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.RemoteBlock;
import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;
import io.kvbm.layout.LayoutType;
import io.kvbm.nixl.InstalledNixl;
import io.kvbm.nixl.NixlAgent;
import io.kvbm.nixl.NixlAgentConfig;
import io.kvbm.nixl.NixlTransport;
import io.kvbm.remote.BlocksetJson;
import io.kvbm.remote.GetRequest;
import io.kvbm.remote.Peer;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.PutRequest;
import io.kvbm.time.MonotonicClock;
import io.kvbm.transfer.TransferControl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

/** Workers that reach each other by NIXL alone, as if they were on two hosts. */
@Tag("nixl")
@EnabledIf("io.kvbm.nixl.InstalledNixl#isThere")
class NixlWorkersTest extends WorkersInTwoProcesses {

    @Override
    ToyWorker of(ToyWorker any) {
        return any.overNixl();
    }

    @Override
    boolean maps() {
        return false;
    }

    private PeerRequest.BeginWrite begin(long number, BlockDescriptorList into) {
        int[] slots = new int[into.size()];
        Arrays.setAll(slots, into::index);
        return new PeerRequest.BeginWrite(0, peering.peers().getFirst().epoch(), number, 0, 1, slots);
    }

    @Test
    void blocksThatOneWriterIsWritingAreNotWrittenByAnother() {
        meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.FULLY_CONTIGUOUS);
        BlockDescriptorList sent = ofOne("take 2");
        one.order("fill 1");
        one.order("let-write 0");
        assertThat(one.link.ask(begin(17, sent))).isEqualTo(new PeerAnswer.Done());
        List<RemoteBlock> remote1 = zero.getRemoteBlocksMutable(sent);
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(2)) {
            Filling.fill(mine, 5);
            PutRequest put = new PutRequest(mine, remote1, "put");
            assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> zero.put(put))
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(RemoteException.Kind.BUSY));
            assertThat(one.order("check 1")).isEmpty();
            long epoch = peering.peers().getFirst().epoch();
            one.link.ask(new PeerRequest.EndWrite(0, epoch, 17, ""));
            zero.put(put);
            assertThat(one.order("check 5")).isEmpty();
            await().untilAsserted(() -> assertThat(one.order("told")).isEqualTo("0:put"));
        }
    }

    @Test
    void whatWasRefusedOrGivenUpBeforeAByteWasWrittenLeavesNothingBegun() {
        meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.FULLY_CONTIGUOUS);
        BlockDescriptorList sent = ofOne("take 2");
        one.order("let-write 0");
        List<RemoteBlock> remote1 = zero.getRemoteBlocksMutable(sent);
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(2)) {
            PutRequest put = new PutRequest(mine, remote1, "");
            TransferControl over = new TransferControl(MonotonicClock.SYSTEM, Duration.ofNanos(1));
            assertThatExceptionOfType(TransferException.class)
                    .isThrownBy(() -> peering.transfers().put(put, over))
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(TransferException.Kind.DEADLINE_EXCEEDED));
            assertThatThrownBy(() -> zero.put(new PutRequest(mine, remote1, 4711, "")))
                    .hasMessageContaining("not leased to worker 0 by lease 4711");
            await().untilAsserted(() -> zero.put(put));
        }
        assertThat(worker.transport()).extracting(NixlTransport::unfinished).isEqualTo(0);
    }

    @Test
    void aThreadThatIsInterruptedWritesNothing() {
        meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.FULLY_CONTIGUOUS);
        BlockDescriptorList sent = ofOne("take 2");
        one.order("fill 1");
        one.order("let-write 0");
        List<RemoteBlock> remote1 = zero.getRemoteBlocksMutable(sent);
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(2)) {
            Filling.fill(mine, 5);
            PutRequest put = new PutRequest(mine, remote1, "");
            Thread.currentThread().interrupt();
            assertThatExceptionOfType(TransferException.class).isThrownBy(() -> zero.put(put))
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(TransferException.Kind.CANCELLED));
            assertThat(Thread.interrupted()).isTrue();
            assertThat(one.order("check 1")).isEmpty();
            await().untilAsserted(() -> zero.put(put));
            assertThat(one.order("check 5")).isEmpty();
        }
    }

    @Test
    void whatAPlainAgentSaysIsHeardAsWordsOfTheWorkerThatItIsNamedBy() {
        meet(LayoutType.FULLY_CONTIGUOUS, LayoutType.FULLY_CONTIGUOUS);
        try (NixlAgent plain = InstalledNixl.library().createAgent(NixlAgentConfig.of("4711"))) {
            plain.createBackend("UCX");
            plain.load(one.blockset(0).agentMetadata()).send("hello".getBytes(StandardCharsets.UTF_8));
            await().untilAsserted(() -> {
                assertThat(plain.takeNotifications()).isEmpty();
                assertThat(one.order("told")).isEqualTo("4711:hello");
            });
        }
    }

    @Test
    void whatTheReferencesFormNamesIsReadWhereItSays() {
        restart(plain(0), plain(1));
        Peer peer = peering.importBlockset(
                BlocksetJson.read(one.order("export-json").getBytes(StandardCharsets.UTF_8)), one.link);
        assertThat(peer.isReadable()).isTrue();
        BlockDescriptorList sent = ofOne("take 2");
        one.order("fill 10");
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(2)) {
            zero.get(new GetRequest(zero.getRemoteBlocksMutable(sent), mine, ""));
            assertFilled(mine, 10);
        }
    }
}
