package io.kvbm;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import io.kvbm.event.EventDelivery;
import io.kvbm.layout.LayoutType;
import io.kvbm.remote.ChecksumMode;
import io.kvbm.remote.LeaseLimits;
import io.kvbm.remote.PeerLimits;
import io.kvbm.remote.PeerMemory;
import io.kvbm.remote.Peering;
import io.kvbm.remote.ReadOutcome;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.remote.SharingLimits;
import io.kvbm.remote.TakeStats;
import io.kvbm.transfer.TransferObserver;

import static org.assertj.core.api.Assertions.assertThat;

/** Managers of one process that know each other by their reconcilers: a sequence opened on one finds the blocks of another. */
class PeerPrefixTest {

    private static final String TENANT = "t";

    private final AtomicLong time = new AtomicLong();
    private long tick;
    private TransferObserver observer = TransferObserver.NONE;
    private final Map<String, KvBlockManager> managers = new HashMap<>();
    private final Map<String, Reconciler> reconcilers = new HashMap<>();

    private KvBlockManager start(long worker, int blocks, Consumer<KvManagerSharingConfig.Builder> sharing) {
        KvManagerSharingConfig.Builder shared = KvManagerSharingConfig.builder();
        sharing.accept(shared);
        KvBlockManager manager = KvBlockManager.create(ToyModel.config(blocks, LayoutType.FULLY_CONTIGUOUS)
                .runtime(KvManagerRuntimeConfig.builder().workerId(worker).build())
                .model(ToyModel.named("toy"))
                .eventDelivery(EventDelivery.BY_HAND)
                .clock(() -> time.addAndGet(tick))
                .sharing(shared.build())
                .transferObserver(observer)
                .build());
        String address = "worker-" + worker;
        managers.put(address, manager);
        reconcilers.put(address,
                peering(manager).reconciler(to -> peering(Objects.requireNonNull(managers.get(to))).desk(),
                        ReconcilerSettings.DEFAULT));
        return manager;
    }

    private KvBlockManager start(long worker) {
        return start(worker, 16, _ -> {});
    }

    private static Peering peering(KvBlockManager manager) {
        return manager.peering().orElseThrow();
    }

    private static TakeStats taken(KvBlockManager manager) {
        return peering(manager).taker().stats();
    }

    /** Has everybody learn what everybody else holds. */
    private void settle() {
        managers.values().forEach(manager -> manager.events().deliver());
        time.addAndGet(Duration.ofSeconds(2).toNanos());
        for (Reconciler reconciler : reconcilers.values()) {
            reconciler.listed(managers.keySet());
            reconciler.step(Runnable::run);
        }
    }

    private static int[] tokens(int count) {
        return IntStream.range(0, count).toArray();
    }

    private static void compute(KvBlockManager manager, int[] tokens) {
        try (KvSequence sequence = manager.open(tokens, TENANT)) {
            ToyModel.computeTo(sequence, TENANT, tokens.length);
        }
    }

    private static int reused(KvBlockManager manager, int[] tokens) {
        try (KvSequence sequence = manager.open(tokens, TENANT)) {
            ToyModel.verify(sequence, TENANT, IntStream.of(tokens).boxed().toList(), sequence.reusedTokens());
            return sequence.reusedTokens();
        }
    }

    @AfterEach
    void nothingIsHeld() {
        for (KvBlockManager manager : managers.values()) {
            assertThat(manager.host().orElseThrow().stats().holders()).isZero();
            manager.close();
        }
    }

    @Test
    void whatAnotherWorkerHasComputedIsReusedAndAnnounced() {
        KvBlockManager one = start(1);
        KvBlockManager two = start(2);
        compute(one, tokens(40));
        settle();
        assertThat(reused(two, tokens(41))).isEqualTo(40);
        assertThat(taken(two)).isEqualTo(new TakeStats(10, 10, 0, 0));
        assertThat(reused(two, tokens(41))).as("the second time it is local").isEqualTo(40);
        assertThat(taken(two).proposed()).isEqualTo(10);
        settle();
        one.host().orElseThrow().clear();
        settle();
        assertThat(reused(one, tokens(41))).as("what was taken is announced").isEqualTo(40);
    }

    @Test
    void whatIsTakenIsObservedAndAnObserverThatFailsHarmsNothing() {
        List<String> seen = new ArrayList<>();
        KvBlockManager one = start(1);
        observer = (way, blocks) -> {
            seen.add(way + " " + blocks);
            return (arrived, failure) -> {
                seen.add("ended with " + arrived + ", " + failure);
                throw new IllegalStateException("at the end");
            };
        };
        KvBlockManager two = start(2);
        compute(one, tokens(40));
        assertThat(reused(two, tokens(40))).isZero();
        assertThat(seen).isEmpty();
        settle();
        assertThat(reused(two, tokens(40))).isEqualTo(36);
        assertThat(seen).containsExactly("Way[name=take, from=p2p, to=host] 9", "ended with 9, null");
    }

    @Test
    void aTakeThatIsNotOverInTimeIsObservedToEndWithWhatHasCome() {
        List<String> seen = observed();
        KvBlockManager one = start(1, 64, _ -> {});
        KvBlockManager two = start(2, 64, sharing -> sharing.takeTimeout(Duration.ofNanos(3)));
        compute(one, tokens(200));
        settle();
        tick = 1;
        assertThat(reused(two, tokens(201))).isEqualTo(128);
        assertThat(seen).containsExactly("32 of 50");
    }

    /** What has arrived of each copy that was made by a manager started from now on. */
    private List<String> observed() {
        List<String> seen = new ArrayList<>();
        observer = (_, blocks) -> (arrived, _) -> seen.add(arrived + " of " + blocks);
        return seen;
    }

    @Test
    void onePositionIsLeftToComputeWhateverPeersHave() {
        KvBlockManager one = start(1);
        KvBlockManager two = start(2);
        compute(one, tokens(40));
        settle();
        assertThat(reused(two, tokens(40))).isEqualTo(36);
    }

    @Test
    void theRestOfALocalPrefixComesFromAPeer() {
        KvBlockManager one = start(1);
        KvBlockManager two = start(2);
        compute(two, tokens(12));
        compute(one, tokens(32));
        settle();
        assertThat(reused(two, tokens(33))).isEqualTo(32);
        assertThat(taken(two).taken()).isEqualTo(5);
    }

    @Test
    void blocksThatHaveGoneMeanwhileAreComputed() {
        List<String> seen = observed();
        KvBlockManager one = start(1);
        KvBlockManager two = start(2);
        compute(one, tokens(40));
        settle();
        one.host().orElseThrow().clear();
        assertThat(reused(two, tokens(41))).isZero();
        assertThat(taken(two)).isEqualTo(new TakeStats(10, 0, 0, 0));
        assertThat(seen).containsExactly("0 of 10");
        assertThat(peering(two).peers().getFirst().stats().misses()).containsEntry(ReadOutcome.STALE, 1L);
    }

    @Test
    void anotherTenantFindsNothing() {
        KvBlockManager one = start(1);
        KvBlockManager two = start(2);
        compute(one, tokens(40));
        settle();
        try (KvSequence sequence = two.open(tokens(41), "another")) {
            assertThat(sequence.reusedTokens()).isZero();
        }
        assertThat(taken(two).proposed()).isZero();
    }

    @Test
    void aWorkerThatIsLeavingIsAskedForNothingAndTheSequenceIsComputed() {
        KvBlockManager one = start(1);
        KvBlockManager two = start(2);
        compute(one, tokens(40));
        settle();
        one.withdraw();
        settle();
        assertThat(reused(two, tokens(41))).isZero();
    }

    @Test
    void aReadThatIsNotOverInTimeCountsAsFarAsItCame() {
        KvBlockManager one = start(1, 64, _ -> {});
        KvBlockManager two = start(2, 64, sharing -> sharing.takeTimeout(Duration.ofNanos(3)));
        compute(one, tokens(200));
        settle();
        tick = 1;
        assertThat(reused(two, tokens(201))).as("a batch of 32 blocks").isEqualTo(128);
        assertThat(peering(two).peers().getFirst().stats().misses()).containsEntry(ReadOutcome.LATE, 1L);
    }

    @Test
    void aRunLongerThanMayBeUnderWayIsTakenInSeveral() {
        PeerLimits four = new PeerLimits(4, 4, 3, Duration.ofSeconds(1), Duration.ofSeconds(1), Duration.ofSeconds(1),
                Duration.ZERO);
        KvBlockManager one = start(1, 64, _ -> {});
        KvBlockManager two = start(2, 64, sharing -> sharing
                .limits(new SharingLimits(four, LeaseLimits.DEFAULT, 16, 1024)));
        compute(one, tokens(44));
        settle();
        assertThat(reused(two, tokens(45))).isEqualTo(44);
        assertThat(taken(two)).isEqualTo(new TakeStats(11 + 7 + 3, 11, 0, 0));
    }

    @Test
    void aHolderOfAnotherHostDoesNotHideOneOfThisHost() {
        KvBlockManager one = start(1);
        KvBlockManager two = start(2);
        KvBlockManager three = start(3, 16, sharing -> sharing.memories(blockset -> blockset.workerId() == 1
                ? Optional.empty()
                : PeerMemory.sameHost(ChecksumMode.SAMPLED).open(blockset)));
        compute(one, tokens(40));
        compute(two, tokens(40));
        settle();
        assertThat(reused(three, tokens(41))).isEqualTo(40);
    }
}
