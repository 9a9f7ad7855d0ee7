package io.kvbm;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.PinList;
import io.kvbm.layout.LayoutType;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.Peering;
import io.kvbm.remote.ReadOutcome;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.storage.Storage;
import io.kvbm.transfer.BlockRanges;
import io.kvbm.transfer.RemoteAccess;
import io.kvbm.transfer.RemoteTransport;
import io.kvbm.transfer.TransferControl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** A transport is so slow that a sequence is computed instead, and then its bytes arrive. */
class BytesArriveWhenNobodyWaitsTest {

    private static final String TENANT = "t";
    private static final Duration LONG = Duration.ofSeconds(20);

    private final Network network = new Network();
    private final KvBlockManager one = manager(1);
    private final KvBlockManager two = manager(2);

    /** Keeps what it has been asked to fill, as a network card does. */
    private static final class Network implements RemoteTransport, RemoteAccess {

        final List<PinList> underWay = new ArrayList<>();

        @Override
        public void register(Storage storage) {}

        @Override
        public byte[] metadata() {
            return new byte[]{1};
        }

        @Override
        public RemoteAccess connect(long workerId, long epoch, byte[] metadata) {
            return this;
        }

        @Override
        public void expect() {}

        @Override
        public void withdraw() {}

        @Override
        public void listen(Listener listener) {}

        @Override
        public Move read(BlockRanges from, int[] slots, BlockRanges to, List<? extends BlockHandle> blocks) {
            PinList pins = PinList.of(blocks);
            return new Move() {

                @Override
                public void start(byte[] told, Runnable unmoved) {
                    underWay.add(pins);
                }

                @Override
                public void await(TransferControl control) {
                    Awaitility.await().atMost(LONG).until(() -> !control.mayGoOn());
                    control.check();
                }

                @Override
                public void close() {
                    assertThat(underWay).contains(pins);
                }
            };
        }

        @Override
        public Move write(BlockRanges to, int[] slots, BlockRanges from, List<? extends BlockHandle> blocks) {
            throw new AssertionError("Nothing is written here");
        }

        void arrive() {
            underWay.forEach(pins -> pins.forEach(pin -> pin.segment().fill((byte) 77)));
            underWay.forEach(PinList::close);
        }

        @Override
        public void close() {}
    }

    private KvBlockManager manager(long worker) {
        return KvBlockManager.create(ToyModel.config(16, LayoutType.FULLY_CONTIGUOUS)
                .runtime(KvManagerRuntimeConfig.builder().workerId(worker).build())
                .model(ToyModel.named("toy"))
                .sharing(KvManagerSharingConfig.builder()
                        .memories(PeerMemory.Source.NONE)
                        .transport(network)
                        .takeTimeout(Duration.ofMillis(50))
                        .build())
                .build());
    }

    @AfterEach
    void nothingIsHeld() {
        await().atMost(LONG).until(() -> peering(one).leases().stats().readLeases() == 0);
        for (KvBlockManager manager : List.of(one, two)) {
            assertThat(manager.host().orElseThrow().stats().holders()).isZero();
            manager.close();
        }
    }

    private static Peering peering(KvBlockManager manager) {
        return manager.peering().orElseThrow();
    }

    @Test
    void whatWasComputedMeanwhileIsNotWrittenOver() {
        List<Integer> tokens = IntStream.range(0, 21).boxed().toList();
        int[] prompt = IntStream.range(0, 21).toArray();
        try (KvSequence computed = one.open(prompt, TENANT)) {
            ToyModel.computeTo(computed, TENANT, prompt.length);
        }
        Reconciler reconciler = peering(two).reconciler(_ -> peering(one).desk(), ReconcilerSettings.DEFAULT);
        reconciler.listed(List.of("one"));
        await().atMost(LONG).until(() -> {
            reconciler.step(Runnable::run);
            return peering(two).index().stats().blocks() == 5;
        });
        try (KvSequence sequence = two.open(prompt, TENANT)) {
            assertThat(sequence.reusedTokens()).isZero();
            assertThat(peering(two).stats().misses()).containsEntry(ReadOutcome.LATE, 1L);
            ToyModel.computeTo(sequence, TENANT, prompt.length);
            network.arrive();
            ToyModel.verify(sequence, TENANT, tokens, prompt.length);
        }
    }
}
