package io.kvbm.remote;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.layout.LayoutConfig;
import io.kvbm.layout.LayoutType;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.ContentFingerprint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** The workers are scripted, time passes when it is told to, and questions are asked in the thread that steps. */
class ReconcilerTest {

    private static final long OURS = 1;
    private static final long ID = -7; // unsigned
    private static final LayoutConfig SHAPE = SharedPool.blocks(4, 16);
    private static final LocalWorker LOCAL = new LocalWorker(OURS, 100, SharedPool.FINGERPRINT,
            Map.of(CacheLevel.G2, SHAPE));
    private static final Duration TICK = Duration.ofMillis(50);
    private static final Duration INTERVAL = Duration.ofSeconds(1);
    private static final Duration DEAD = Duration.ofSeconds(8);
    private static final Duration ABSENT = Duration.ofSeconds(60);
    private static final Duration LINGER = Duration.ofSeconds(5);
    private static final int PAGES = 3;

    /** Four addresses; asked every second, and again after 250 ms to 2 s. */
    private static final ReconcilerSettings SETTINGS = new ReconcilerSettings(4, INTERVAL, Duration.ofMillis(250),
            Duration.ofSeconds(2), DEAD, ABSENT, PAGES);

    private final ManualClock clock = new ManualClock();
    private final Map<String, PeerLink> town = new HashMap<>();
    private final Peers peers = new Peers(LOCAL,
            new PeerLimits(2, 8, 3, LINGER, LINGER, LINGER, LINGER), clock, PeerMemory.Source.NONE);
    private final List<String> followed = new ArrayList<>();
    private final Reconciler reconciler = reconciler(new Reconciler.Followers() {
        @Override
        public void follow(Peer peer, PeerLink link, int pages) {
            followed.add("follow " + peer.workerId() + " since " + peer.epoch() + ", " + pages + " pages");
        }

        @Override
        public void forget(long workerId) {
            followed.add("forget " + workerId);
        }
    });

    private Reconciler reconciler(Reconciler.Followers followers) {
        return new Reconciler(LOCAL, peers, address -> request -> at(address).ask(request), clock, SETTINGS,
                followers);
    }

    /** Nobody answers where nobody is. */
    private PeerLink at(String address) {
        return town.getOrDefault(address, _ -> {
            throw new RemoteException(Kind.TRANSPORT, "nobody is at " + address);
        });
    }

    private static Blockset exported(long id, long epoch, @Nullable ContentFingerprint fingerprint,
            LayoutConfig shape) {
        return new Blockset(id, epoch, fingerprint, List.of(Exports.level(1, shape, LayoutType.FULLY_CONTIGUOUS,
                Exports.SYSTEM, 1 << 20, null)), new byte[0]);
    }

    /** What a worker answers, and what it was asked. */
    private static final class Worker implements PeerLink {

        final long id;
        long epoch;
        byte[] document;
        boolean draining;
        int states;
        int exports;

        Worker(long id, long epoch, Blockset blockset) {
            this.id = id;
            this.epoch = epoch;
            this.document = BlocksetCodec.encode(blockset);
        }

        void exports(LayoutConfig shape) {
            document = BlocksetCodec.encode(exported(id, epoch, SharedPool.FINGERPRINT, shape));
        }

        void restarted(long since) {
            epoch = since;
            exports(SHAPE);
        }

        @Override
        public PeerAnswer ask(PeerRequest request) {
            return switch (request) {
                case PeerRequest.State _ -> {
                    states++;
                    yield new PeerAnswer.State(id, epoch, SharedPool.FINGERPRINT, BlocksetCodec.digest(document),
                            draining);
                }
                case PeerRequest.Export _ -> {
                    exports++;
                    yield new PeerAnswer.Export(document);
                }
                default -> new PeerAnswer.Done();
            };
        }
    }

    private static Worker worker(long id, long epoch) {
        return new Worker(id, epoch, exported(id, epoch, SharedPool.FINGERPRINT, SHAPE));
    }

    private <T extends PeerLink> T moveIn(String address, T worker) {
        town.put(address, worker);
        return worker;
    }

    private void listed(String... addresses) {
        reconciler.listed(List.of(addresses));
    }

    private void step() {
        reconciler.step(Runnable::run);
    }

    /** Lets time pass, step by step. */
    private void pass(Duration time) {
        for (Duration left = time; left.isPositive(); left = left.minus(TICK)) {
            clock.pass(TICK);
            step();
        }
    }

    private void startWith(String... addresses) {
        listed(addresses);
        step();
        followed.clear();
    }

    private Peer known(long id) {
        return peers.peer(id).orElseThrow();
    }

    private List<Long> epochs() {
        return peers.all().stream().map(Peer::epoch).toList();
    }

    // ---------------------------------------------------------------------------------------------- come

    @Test
    void aNewcomerIsImportedAndFollowed() {
        Worker worker = moveIn("a", worker(ID, 5));
        listed("a");
        assertThat(peers.all()).isEmpty();
        step();
        assertThat(known(ID).blockset()).isEqualTo(BlocksetCodec.decode(worker.document));
        assertThat(followed).containsExactly("forget -7", "follow -7 since 5, 3 pages");
        assertThat(reconciler.refusals()).isZero();
    }

    @Test
    void aWorkerThatAnswersIsAskedOncePerInterval() {
        Worker worker = moveIn("a", worker(ID, 5));
        startWith("a");
        pass(INTERVAL.minus(TICK));
        assertThat(worker.states).isOne();
        pass(TICK);
        assertThat(worker.states).isEqualTo(2);
        assertThat(worker.exports).isOne();
        assertThat(followed).containsExactly("follow -7 since 5, 3 pages");
    }

    @Test
    void anAddressThatIsListedTwiceIsAskedOnce() {
        Worker worker = moveIn("a", worker(ID, 5));
        startWith("a", "a");
        assertThat(worker.states).isOne();
        assertThat(reconciler.addresses()).isOne();
    }

    @Test
    void contentOfAnotherModelIsImportedAndNotFollowed() {
        moveIn("a", new Worker(ID, 5, exported(ID, 5, Exports.fingerprint(), SHAPE)));
        moveIn("b", new Worker(2, 5, exported(2, 5, null, SHAPE)));
        listed("a", "b");
        step();
        assertThat(peers.all()).hasSize(2);
        assertThat(followed).containsExactlyInAnyOrder("forget -7", "forget 2");
    }

    @Test
    void aWorkerThatWasStartedAnewIsImportedAnew() {
        Worker worker = moveIn("a", worker(ID, 5));
        startWith("a");
        Peer old = known(ID);
        worker.restarted(6);
        pass(INTERVAL);
        assertThat(epochs()).containsExactly(6L);
        assertThat(old.state()).isEqualTo(PeerState.LINGER);
        assertThat(followed).startsWith("forget -7").endsWith("follow -7 since 6, 3 pages");
    }

    @Test
    void aWorkerThatExportsSomethingElseIsImportedAnew() {
        Worker worker = moveIn("a", worker(ID, 5));
        startWith("a");
        worker.exports(SharedPool.blocks(9, 16));
        pass(INTERVAL);
        assertThat(known(ID).blockset().levels().getFirst().numBlocks()).isEqualTo(9);
        assertThat(followed).containsExactly("forget -7", "follow -7 since 5, 3 pages");
    }

    @Test
    void anOlderLifeThatTheWorkerItselfStatesIsTheRightOne() {
        Worker worker = moveIn("a", worker(ID, -1));
        startWith("a");
        worker.restarted(5);
        pass(INTERVAL);
        assertThat(epochs()).containsExactly(5L);
    }

    @Test
    void aWorkerThatWasImportedByHandIsReachedFromWhenItAnswers() {
        Worker worker = moveIn("a", worker(ID, 5));
        assertThat(peers.importBlockset(BlocksetCodec.decode(worker.document), null).isReached()).isFalse();
        startWith("a");
        assertThat(known(ID).isReached()).isTrue();
        pass(INTERVAL.multipliedBy(2));
        assertThat(worker.exports).isOne();
    }

    @Test
    void whatAWriterOfALaterVersionExportsIsImportedOnce() {
        Worker worker = moveIn("a", worker(ID, 5));
        byte[] later = worker.document.clone();
        ByteBuffer.wrap(later).putShort(8, (short) 9);
        worker.document = Hostile.sealed(later);
        startWith("a");
        pass(INTERVAL.multipliedBy(3));
        assertThat(worker.states).isEqualTo(4);
        assertThat(worker.exports).isOne();
    }

    @Test
    void soManyAddressesAreWatched() {
        listed("a", "b", "c", "d", "e");
        assertThat(reconciler.addresses()).isEqualTo(4);
        listed("e");
        step();
        listed("e");
        assertThat(reconciler.addresses()).as("those that are silent and not listed made room").isOne();
    }

    // ---------------------------------------------------------------------------------------------- refuse

    @ParameterizedTest
    @MethodSource("garbage")
    void whatMakesNoSenseIsCountedAndChangesNothing(PeerLink garbage) {
        Worker good = moveIn("a", worker(ID, 5));
        moveIn("b", worker(2, 5));
        startWith("a", "b");
        List<Peer> before = peers.all();
        followed.clear();
        moveIn("a", garbage);
        clock.pass(INTERVAL);
        step();
        assertThat(reconciler.refusals()).isOne();
        assertThat(peers.all()).isEqualTo(before);
        assertThat(followed).containsExactly("follow 2 since 5, 3 pages");
        moveIn("a", good);
        pass(INTERVAL);
        assertThat(reconciler.refusals()).isOne();
        assertThat(followed).contains("follow -7 since 5, 3 pages");
    }

    @Test
    void anAddressAtWhichAnErrorHappensIsLeftAloneForAWhile() {
        int[] asked = new int[1];
        moveIn("a", _ -> {
            asked[0]++;
            throw new StackOverflowError("of a link");
        });
        listed("a");
        assertThatExceptionOfType(StackOverflowError.class).isThrownBy(this::step);
        step();
        assertThat(asked).containsExactly(1);
        clock.pass(SETTINGS.firstRetry());
        assertThatExceptionOfType(StackOverflowError.class).isThrownBy(this::step);
    }

    private static PeerLink garbage(PeerAnswer state, PeerAnswer export) {
        return request -> request instanceof PeerRequest.State ? state : export;
    }

    static Stream<PeerLink> garbage() {
        Worker other = worker(ID, 5);
        other.exports(SharedPool.blocks(9, 16));
        PeerAnswer state = other.ask(new PeerRequest.State(OURS));
        PeerAnswer done = new PeerAnswer.Done();
        PeerAnswer refused = new PeerAnswer.Refused(Kind.BUSY, "not now");
        Worker misshapen = worker(ID, 5);
        misshapen.exports(SharedPool.blocks(4, 32));
        return Stream.of(garbage(done, done), garbage(refused, refused), garbage(state, done), garbage(state, refused),
                garbage(state, new PeerAnswer.Export(new byte[99])),
                garbage(state, new PeerAnswer.Export(worker(3, 5).document)),
                garbage(state, new PeerAnswer.Export(worker(ID, 6).document)),
                garbage(state, new PeerAnswer.Export(worker(ID, 5).document)), misshapen, _ -> {
                    throw new IllegalStateException("not to be expected of a link");
                });
    }

    @Test
    void aLaterLifeThatIsRefusedDoesNotKeepTheOlderOne() {
        Worker worker = moveIn("a", worker(ID, 5));
        startWith("a");
        Peer old = known(ID);
        worker.epoch = 6;
        worker.exports(SharedPool.blocks(4, 32));
        pass(INTERVAL);
        assertThat(peers.all()).isEmpty();
        assertThat(old.state()).isEqualTo(PeerState.LINGER);
        assertThat(followed).containsExactly("forget -7");
    }

    @Test
    void aWorkerThatIsNotReachedIsAskedLessAndLessOften() {
        List<Long> times = new ArrayList<>();
        long start = clock.nanoTime();
        moveIn("a", _ -> {
            times.add(Duration.ofNanos(clock.nanoTime() - start).toMillis());
            throw new RemoteException(Kind.DEADLINE, "no answer");
        });
        startWith("a");
        pass(Duration.ofSeconds(9));
        assertThat(times).containsExactly(0L, 250L, 750L, 1750L, 3750L, 5750L, 7750L);
        assertThat(reconciler.refusals()).isEqualTo(7);
        moveIn("a", worker(ID, 5));
        pass(INTERVAL);
        moveIn("a", _ -> {
            times.add(0L);
            throw new RemoteException(Kind.DEADLINE, "no answer");
        });
        times.clear();
        pass(Duration.ofMillis(1250));
        assertThat(times).as("an answer forgets the failures").hasSize(2);
    }

    @Test
    void aWorkerWhoseExportIsRefusedIsAskedLessAndLessOftenToo() {
        Worker worker = moveIn("a", worker(ID, 5));
        worker.exports(SharedPool.blocks(4, 32));
        startWith("a");
        pass(Duration.ofSeconds(9));
        assertThat(worker.exports).isEqualTo(7);
    }

    /** It is asked again after ten seconds at last, while one that is silent is let go after eight. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aWorkerWhoseEventsAreRefusedIsNotSilent(boolean listed) {
        moveIn("a", worker(ID, 5));
        Reconciler unlucky = new Reconciler(LOCAL, peers, this::at, clock, ReconcilerSettings.DEFAULT,
                new Reconciler.Followers() {
                    @Override
                    public void follow(Peer peer, PeerLink link, int pages) {
                        throw new RemoteException(Kind.LIMIT, "no room");
                    }

                    @Override
                    public void forget(long workerId) {}
                });
        unlucky.listed(List.of("a"));
        unlucky.step(Runnable::run);
        unlucky.listed(listed ? List.of("a") : List.of());
        for (int second = 1; second < 60; second++) {
            clock.pass(INTERVAL);
            unlucky.step(Runnable::run);
            assertThat(peers.all()).as("after %d s", second).hasSize(1);
        }
        assertThat(unlucky.refusals()).isGreaterThan(5);
    }

    // ---------------------------------------------------------------------------------------------- leave

    @Test
    void aWorkerThatLeavesIsAskedForNothingNewUntilItReturns() {
        Worker worker = moveIn("a", worker(ID, 5));
        startWith("a");
        Peer peer = known(ID);
        worker.draining = true;
        pass(INTERVAL);
        assertThat(peer.state()).isEqualTo(PeerState.LINGER);
        assertThat(followed).containsExactly("forget -7");
        worker.draining = false;
        pass(INTERVAL);
        assertThat(peer.state()).isEqualTo(PeerState.LIVE);
        assertThat(known(ID)).isSameAs(peer);
        assertThat(followed).containsExactly("forget -7", "follow -7 since 5, 3 pages");
    }

    @Test
    void aWorkerThatReturnsAfterItWasLetGoIsImportedAnew() {
        Worker worker = moveIn("a", worker(ID, 5));
        startWith("a");
        worker.draining = true;
        pass(INTERVAL.plus(LINGER));
        assertThat(peers.all()).isEmpty();
        worker.draining = false;
        pass(INTERVAL);
        assertThat(known(ID).state()).isEqualTo(PeerState.LIVE);
        assertThat(worker.exports).isEqualTo(2);
    }

    @Test
    void aNewcomerThatLeavesIsNotImported() {
        moveIn("a", worker(ID, 5)).draining = true;
        startWith("a");
        pass(INTERVAL);
        assertThat(peers.all()).isEmpty();
    }

    @Test
    void whatAWorkerThatLeavesHoldsIsForgottenAndFollowedAgainWhenItReturns() throws InterruptedException {
        PeerIndex index = new PeerIndex(4, 1 << 10, 17);
        Reconciler indexing = reconciler(new PeerFeeds(LOCAL, index));
        try (Owner owner = new Owner(ID, 5, 8, 8, 64, 8, 8)) {
            owner.pools.get(1).registerBlocks(owner.pools.get(1).allocateBlocks(3), Owner.chain(0, 3), 0).close();
            owner.settle();
            Worker worker = moveIn("a", worker(ID, 5));
            worker.exports(SharedPool.blocks(8, 16));
            moveIn("a", request -> request instanceof PeerRequest.Events events
                    ? new PeerAnswer.Events(EventFrameCodec.encode(owner.journal.page(events.epoch(), events.from())))
                    : worker.ask(request));
            indexing.listed(List.of("a"));
            indexing.step(Runnable::run);
            assertThat(index.stats().blocks()).isEqualTo(3);
            worker.draining = true;
            clock.pass(INTERVAL);
            indexing.step(Runnable::run);
            assertThat(index.stats().blocks()).isZero();
            worker.draining = false;
            clock.pass(INTERVAL);
            indexing.step(Runnable::run);
            assertThat(index.stats().blocks()).isEqualTo(3);
        }
    }

    @Test
    void aWorkerThatIsSilentIsLetGoThoughItIsListed() {
        moveIn("a", worker(ID, 5));
        startWith("a");
        town.clear();
        pass(DEAD.minus(TICK));
        assertThat(peers.all()).hasSize(1);
        assertThat(followed).isEmpty();
        pass(TICK);
        assertThat(peers.all()).isEmpty();
        assertThat(followed).containsExactly("forget -7");
        assertThat(reconciler.addresses()).as("it may come back").isOne();
        moveIn("a", worker(ID, 6));
        pass(Duration.ofSeconds(2));
        assertThat(epochs()).containsExactly(6L);
    }

    @Test
    void anEmptyCatalogLetsNobodyGoWhoAnswers() {
        moveIn("a", worker(ID, 5));
        moveIn("b", worker(2, 5));
        startWith("a", "b");
        listed();
        pass(ABSENT.minus(TICK));
        listed();
        step();
        assertThat(peers.all()).hasSize(2);
        listed("a");
        pass(TICK);
        assertThat(peers.all()).extracting(Peer::workerId).containsExactly(ID);
        assertThat(reconciler.addresses()).isOne();
        pass(ABSENT);
        assertThat(peers.all()).hasSize(1);
    }

    @Test
    void aWorkerThatIsSilentAndNotListedIsLetGoAtOnce() {
        moveIn("a", worker(ID, 5));
        startWith("a");
        listed();
        town.clear();
        pass(INTERVAL);
        assertThat(peers.all()).isEmpty();
        assertThat(reconciler.addresses()).isZero();
    }

    @Test
    void aWorkerWhoseAddressAnotherOneHasNowIsLetGo() {
        moveIn("a", worker(ID, 5));
        startWith("a");
        moveIn("a", worker(2, 6));
        pass(INTERVAL);
        assertThat(peers.all()).extracting(Peer::workerId).containsExactly(2L);
        assertThat(followed).startsWith("forget -7");
    }

    @Test
    void aWorkerThatMovedIsKnownAtItsNewAddressWhateverBecomesOfTheOldOne() {
        moveIn("a", worker(ID, 5));
        startWith("a");
        town.clear();
        moveIn("b", worker(ID, 6));
        listed("b");
        step();
        Peer moved = known(ID);
        pass(DEAD);
        assertThat(known(ID)).isSameAs(moved);
        assertThat(reconciler.addresses()).isOne();
        assertThat(reconciler.disputed()).isEmpty();
    }

    @Test
    void aWorkerWithTwoAddressesIsAskedAtTheOneThatIsLeft() {
        Worker worker = moveIn("a", worker(ID, 5));
        startWith("a");
        moveIn("b", worker);
        startWith("a", "b");
        town.remove("a");
        pass(DEAD.plus(INTERVAL));
        known(ID).order(new PeerRequest.Notify(OURS, "text"), 0);
    }

    // ---------------------------------------------------------------------------------------------- one id, two workers

    @Test
    void ofTwoWorkersWithOneIdNeitherIsUsedUntilOneIsSilent() {
        moveIn("a", worker(ID, 5));
        startWith("a");
        moveIn("b", worker(ID, 6));
        listed("a", "b");
        pass(INTERVAL.multipliedBy(3));
        assertThat(peers.all()).isEmpty();
        assertThat(reconciler.disputed()).containsExactly(ID);
        assertThat(followed).doesNotContain("follow -7 since 5, 3 pages", "follow -7 since 6, 3 pages");
        town.remove("b");
        pass(INTERVAL.multipliedBy(2));
        assertThat(epochs()).containsExactly(5L);
        assertThat(reconciler.disputed()).isEmpty();
    }

    @Test
    void aDisputeEndsWithThoseWhoHaveIt() {
        moveIn("a", worker(ID, 5));
        moveIn("b", worker(ID, 6));
        startWith("a", "b");
        assertThat(reconciler.disputed()).containsExactly(ID);
        town.clear();
        pass(INTERVAL);
        assertThat(reconciler.disputed()).isEmpty();
    }

    @Test
    void aWorkerWithTwoAddressesThatWasStartedAnewIsNotTwoWorkers() {
        Worker worker = moveIn("a", worker(ID, 5));
        moveIn("b", worker);
        startWith("a", "b");
        worker.restarted(6);
        clock.pass(INTERVAL);
        step();
        assertThat(epochs()).containsExactly(6L);
        assertThat(reconciler.disputed()).isEmpty();
    }

    @Test
    void thisWorkerIsKnownByItsIdWhereverItIsListed() {
        moveIn("a", worker(OURS, 100));
        startWith("a");
        assertThat(peers.all()).isEmpty();
        assertThat(reconciler.refusals()).isZero();
        assertThat(reconciler.disputed()).isEmpty();
    }

    @Test
    void aWorkerWithTheIdOfThisOneIsNotUsedAndSaidUntilItIsSilentOrAnother() {
        moveIn("a", worker(OURS, 100));
        Worker other = moveIn("b", worker(OURS, 99));
        startWith("a", "b");
        assertThat(peers.all()).isEmpty();
        assertThat(reconciler.disputed()).containsExactly(OURS);
        town.remove("b");
        pass(INTERVAL);
        assertThat(reconciler.disputed()).isEmpty();
        moveIn("b", other);
        pass(INTERVAL);
        assertThat(reconciler.disputed()).containsExactly(OURS);
        moveIn("b", worker(2, 99));
        pass(INTERVAL);
        assertThat(reconciler.disputed()).isEmpty();
        assertThat(peers.all()).extracting(Peer::workerId).containsExactly(2L);
    }

    // ---------------------------------------------------------------------------------------------- executor

    @Test
    void aWorkerThatHangsDelaysNobodyElseAndIsNotAskedTwiceAtOnce() {
        Deque<Runnable> hanging = new ArrayDeque<>();
        Worker slow = moveIn("a", worker(ID, 5));
        Worker quick = moveIn("b", worker(2, 5));
        listed("a");
        reconciler.step(hanging::add);
        listed("a", "b");
        for (int i = 0; i < 3; i++) {
            step();
            clock.pass(INTERVAL);
        }
        assertThat(slow.states).isZero();
        assertThat(quick.states).isEqualTo(3);
        assertThat(peers.all()).extracting(Peer::workerId).containsExactly(2L);
        hanging.remove().run();
        step();
        assertThat(peers.all()).hasSize(2);
        assertThat(slow.states).isOne();
    }

    @Test
    void whatComesOfAQuestionAfterTheAddressIsGoneIsLetGoToo() {
        moveIn("a", worker(ID, 5));
        startWith("a");
        listed();
        Deque<Runnable> hanging = new ArrayDeque<>();
        clock.pass(ABSENT);
        reconciler.step(hanging::add);
        hanging.remove().run();
        step();
        assertThat(peers.all()).isEmpty();
        assertThat(reconciler.addresses()).isZero();
        assertThat(followed.getLast()).isEqualTo("forget -7");
    }

    @Test
    void anExecutorWithoutRoomKeepsNobodyFromBeingLetGoAndIsTriedAgain() {
        Executor full = _ -> {
            throw new RejectedExecutionException("no room");
        };
        Worker worker = moveIn("a", worker(ID, 5));
        moveIn("b", worker(2, 5));
        startWith("a", "b");
        town.remove("b");
        pass(DEAD.minus(TICK));
        assertThat(peers.all()).hasSize(2);
        int asked = worker.states;
        clock.pass(TICK);
        reconciler.step(full);
        assertThat(peers.all()).extracting(Peer::workerId).containsExactly(ID);
        clock.pass(INTERVAL);
        reconciler.step(full);
        assertThat(worker.states).isEqualTo(asked);
        step();
        assertThat(worker.states).isEqualTo(asked + 1);
    }

    @Test
    void linksThatFailUnexpectedlyKeepNobodyFromBeingAsked() {
        IntStream.range(0, 3).forEach(i -> moveIn("a" + i, _ -> {
            throw new IllegalArgumentException("not to be expected of a link");
        }));
        moveIn("b", worker(ID, 5));
        startWith("a0", "a1", "a2", "b");
        assertThat(peers.all()).hasSize(1);
        step();
        assertThat(reconciler.refusals()).as("and are not asked again at once").isEqualTo(3);
    }

    @Test
    void whateverAddressesTheCatalogListsEveryoneWhoAnswersIsKnownInTheEnd() {
        Random random = new Random(3);
        List<String> all = List.of("a", "b");
        moveIn("a", worker(ID, 5));
        moveIn("b", worker(2, 5));
        for (int i = 0; i < 200; i++) {
            listed(all.stream().filter(_ -> random.nextBoolean()).toArray(String[]::new));
            pass(TICK.multipliedBy(1 + random.nextInt(40)));
        }
        listed("a", "b");
        pass(INTERVAL);
        assertThat(peers.all()).extracting(Peer::workerId).containsExactlyInAnyOrder(ID, 2L);
    }
}
