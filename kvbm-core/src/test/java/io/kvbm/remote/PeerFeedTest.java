package io.kvbm.remote;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;

import io.kvbm.error.RemoteException;
import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.remote.PeerFeed.Outcome;
import io.kvbm.storage.CacheLevel;
import io.kvbm.testing.RandomCase;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** What a feed makes of the pages of a worker, beside what the worker's pools hold. */
class PeerFeedTest {

    private static final long WORKER = 3;
    private static final long READER = 9;

    private final PeerIndex index = new PeerIndex(8, 1 << 12, 17);

    private static Map<CacheLevel, Map<Integer, List<Long>>> content(PeerFeed feed) {
        Map<CacheLevel, Map<Integer, List<Long>>> content = new HashMap<>();
        for (HeldSlots set : feed.peer().levels()) {
            Map<Integer, List<Long>> slots = new HashMap<>();
            for (int slot = 0; slot < set.slots(); slot++) {
                if (set.isHeld(slot)) {
                    slots.put(slot, List.of(set.generation(slot), set.identity(slot)));
                }
            }
            content.put(set.holder.level(), slots);
        }
        return content;
    }

    private static EventFrame ask(Owner owner, PeerFeed feed) {
        PeerRequest.Events request = feed.next(READER);
        return EventFrameCodec
                .decode(EventFrameCodec.encode(owner.journal.page(request.epoch(), request.from())));
    }

    /** Asks until there is nothing new. */
    private static void catchUp(Owner owner, PeerFeed feed) throws InterruptedException {
        owner.settle();
        for (int i = 0; i < 10_000; i++) {
            EventFrame frame = ask(owner, feed);
            assertThat(feed.take(frame)).isIn(Outcome.TAKEN, Outcome.GAP);
            if (frame instanceof EventFrame.Events(_, _, _, List<KvEvent> events) && events.isEmpty()) {
                assertThat(content(feed)).isEqualTo(owner.content());
                return;
            }
        }
        throw new AssertionError("There is no end of news");
    }

    private void requireWhole(Owner owner) {
        long blocks = owner.content().values().stream().mapToLong(Map::size).sum();
        assertThat(index.stats().blocks()).isEqualTo(blocks);
        assertThat(index.stats().identities()).isEqualTo(owner.content()
                .values()
                .stream()
                .flatMap(slots -> slots.values().stream())
                .map(List::getLast)
                .distinct()
                .count());
    }

    @Test
    void whatTheWorkerHeldBeforeIsCollectedInPartsAndFollowed() throws InterruptedException {
        Random random = RandomCase.random("whatTheWorkerHeldBeforeIsCollectedInPartsAndFollowed");
        try (Owner owner = new Owner(WORKER, 1, 40, 60, 1 << 10, 3, 7)) {
            IntStream.range(0, 300).forEach(_ -> owner.step(random));
            PeerFeed feed = new PeerFeed(index, WORKER, 1, owner.levels());
            assertThat(feed.isFollowing()).isFalse();
            assertThat(feed.next(READER)).isEqualTo(new PeerRequest.Events(READER, 1, -1));
            int parts = 0;
            for (; !feed.isFollowing(); parts++) {
                assertThat(feed.take(ask(owner, feed))).isEqualTo(Outcome.TAKEN);
            }
            assertThat(parts).isEqualTo(15);
            assertThat(content(feed)).isEqualTo(owner.content());
            IntStream.range(0, 300).forEach(_ -> owner.step(random));
            catchUp(owner, feed);
            requireWhole(owner);
        }
    }

    @Test
    void poolsThatChangeBetweenThePartsAreKnownExactlyOnceTheFeedHasCaughtUp() throws InterruptedException {
        Random random = RandomCase.random("poolsThatChangeBetweenThePartsAreKnownExactlyOnceTheFeedHasCaughtUp");
        for (int round = 0; round < RandomCase.cases(30); round++) {
            try (Owner owner = new Owner(round, 1, 40, 60, 1 << 10, 5, 1 + random.nextInt(20))) {
                PeerFeed feed = new PeerFeed(index, round, 1, owner.levels());
                for (int i = 0; i < 60; i++) {
                    IntStream.range(0, random.nextInt(9)).forEach(_ -> owner.step(random));
                    feed.take(ask(owner, feed));
                }
                catchUp(owner, feed);
                requireWhole(owner);
                feed.close();
            }
        }
    }

    /** Answers get lost, come twice, late and in another order; the worker is started anew now and then. */
    @Test
    void afterTheLastAnswerTheIndexIsExactWhateverBecameOfTheOthers() throws InterruptedException {
        Random random = RandomCase.random("afterTheLastAnswerTheIndexIsExactWhateverBecameOfTheOthers");
        Set<Outcome> outcomes = EnumSet.noneOf(Outcome.class);
        for (int round = 0; round < RandomCase.cases(20); round++) {
            List<EventFrame> way = new ArrayList<>();
            int capacity = 1 << random.nextInt(9);
            long epoch = Long.MAX_VALUE - 1; // unsigned
            Owner owner = new Owner(WORKER, epoch, 30, 50, capacity, 1 + random.nextInt(8), 1 + random.nextInt(90));
            PeerFeed feed = new PeerFeed(index, WORKER, epoch, owner.levels());
            for (int i = 0; i < 800; i++) {
                owner.step(random);
                if (random.nextInt(3) == 0) {
                    way.add(ask(owner, feed));
                }
                if (!way.isEmpty() && random.nextInt(3) == 0) {
                    int which = random.nextInt(way.size());
                    EventFrame arrived = random.nextInt(4) == 0 ? way.get(which) : way.remove(which);
                    Outcome outcome = feed.take(arrived);
                    outcomes.add(outcome);
                    if (outcome == Outcome.RESTARTED) {
                        feed = new PeerFeed(index, WORKER, epoch, owner.levels());
                    }
                }
                while (way.size() > 6) {
                    way.remove(random.nextInt(way.size()));
                }
                if (random.nextInt(400) == 0) {
                    owner.close();
                    epoch++;
                    owner = new Owner(WORKER, epoch, 30, 50, capacity, 1 + random.nextInt(8),
                            1 + random.nextInt(90));
                }
            }
            if (feed.take(ask(owner, feed)) == Outcome.RESTARTED) {
                feed = new PeerFeed(index, WORKER, epoch, owner.levels());
            }
            catchUp(owner, feed);
            requireWhole(owner);
            feed.close();
            owner.close();
        }
        assertThat(outcomes).containsExactlyInAnyOrder(Outcome.values());
    }

    @Test
    void workerThatIsUsedByManyThreadsIsKnownExactlyOnceTheFeedHasCaughtUp() throws Exception {
        try (Owner owner = new Owner(WORKER, 1, 64, 64, 64, 16, 20);
                ExecutorService threads = Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory())) {
            PeerFeed feed = new PeerFeed(index, WORKER, 1, owner.levels());
            List<Future<?>> users = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                Random random = new Random(i);
                users.add(threads.submit(() -> owner.use(random, RandomCase.cases(3000))));
            }
            while (users.stream().anyMatch(user -> !user.isDone())) {
                feed.take(ask(owner, feed));
            }
            for (Future<?> user : users) {
                user.get();
            }
            catchUp(owner, feed);
            requireWhole(owner);
        }
    }

    /** Each round collects once while the pools change, and has the events that come with it make up for that. */
    @Test
    void whatIsCollectedWhileThePoolsChangeIsMadeExactByTheEventsFromItsNumberOn() throws Exception {
        PeerIndex large = new PeerIndex(2, 1 << 14, 17);
        try (Owner owner = new Owner(WORKER, 1, 4000, 4000, 1 << 12, 1 << 12, 1 << 13);
                ExecutorService threads = Executors.newSingleThreadExecutor()) {
            owner.use(new Random(0), 4000);
            for (int round = 0; round < RandomCase.cases(60); round++) {
                try (PeerFeed feed = new PeerFeed(large, WORKER, 1, owner.levels())) {
                    CountDownLatch running = new CountDownLatch(1);
                    Random random = new Random(round);
                    Future<?> user = threads.submit(() -> {
                        running.countDown();
                        owner.use(random, 400);
                    });
                    running.await();
                    assertThat(feed.take(ask(owner, feed))).isEqualTo(Outcome.TAKEN);
                    assertThat(feed.isFollowing()).isTrue();
                    user.get();
                    catchUp(owner, feed);
                }
            }
        }
    }

    private static EventFrame.Events told(long sequence, KvEvent... events) {
        return new EventFrame.Events(WORKER, 4, sequence, List.of(events));
    }

    private static KvEvent stored(int slot, long generation, long identity) {
        return new KvEvent.Stored(CacheLevel.G2, 4,
                List.of(new StoredBlock(identity, 1, OptionalLong.empty(), 0, identity, slot, generation)));
    }

    private static KvEvent removed(int slot) {
        return new KvEvent.Removed(CacheLevel.G2, List.of(new RemovedBlock(0, slot)));
    }

    private static EventFrame.Held part(long sequence, int from, int to, boolean last, int... slots) {
        HeldBlocks.Builder blocks = new HeldBlocks.Builder(CacheLevel.G2, 0);
        IntStream.of(slots).forEach(slot -> blocks.onRegistered(slot, 0, slot));
        return new EventFrame.Held(WORKER, 4, sequence, from, to, last, List.of(blocks.build()));
    }

    private PeerFeed feed() {
        return new PeerFeed(index, WORKER, 4, List.of(new IndexedLevel(CacheLevel.G2, 0, 10)));
    }

    private static Map<Integer, List<Long>> host(PeerFeed feed) {
        return content(feed).getOrDefault(CacheLevel.G2, Map.of());
    }

    @Test
    void slotStoredWithAnotherGenerationIsReplacedAndAnUnknownOneThatIsRemovedIsNot() {
        PeerFeed feed = feed();
        feed.take(part(20, 0, 10, true, 1));
        assertThat(feed.take(told(20, stored(1, 6, 77), removed(5), stored(2, 1, 0)))).isEqualTo(Outcome.TAKEN);
        assertThat(host(feed)).isEqualTo(Map.of(1, List.of(6L, 77L), 2, List.of(1L, 0L)));
        assertThat(feed.take(told(23, stored(1, 5, 77), new KvEvent.Cleared(CacheLevel.G1)))).isEqualTo(Outcome.TAKEN);
        assertThat(host(feed)).containsEntry(1, List.of(5L, 77L));
        assertThat(feed.take(told(25, stored(3, 0, 8), new KvEvent.Cleared(CacheLevel.G2), stored(4, 0, 9))))
                .isEqualTo(Outcome.TAKEN);
        assertThat(host(feed)).isEqualTo(Map.of(4, List.of(0L, 9L)));
        assertThat(feed.next(READER).from()).isEqualTo(28);
    }

    @Test
    void eventsThatAreKnownAreSkippedAndMissingOnesDropEverything() {
        PeerFeed feed = feed();
        assertThat(feed.take(told(20, stored(1, 0, 1)))).isEqualTo(Outcome.IGNORED);
        feed.take(part(20, 0, 10, true));
        feed.take(told(20, stored(1, 0, 1), removed(1)));
        assertThat(feed.take(told(20, stored(1, 0, 1)))).isEqualTo(Outcome.IGNORED);
        assertThat(feed.take(told(20, stored(1, 0, 1), removed(1), stored(2, 0, 2)))).isEqualTo(Outcome.TAKEN);
        assertThat(host(feed)).containsOnlyKeys(2);
        assertThat(feed.take(told(23))).isEqualTo(Outcome.TAKEN);
        assertThat(feed.take(told(24))).isEqualTo(Outcome.GAP);
        assertThat(host(feed)).isEmpty();
        assertThat(feed.isFollowing()).isFalse();
        assertThat(feed.next(READER).from()).isEqualTo(-1);
    }

    @Test
    void partsOfAnotherPlaceAreIgnoredAndOlderOnesBeginAnew() {
        PeerFeed feed = feed();
        assertThat(feed.take(part(20, 4, 10, true, 5))).isEqualTo(Outcome.IGNORED);
        assertThat(feed.take(part(20, 0, 4, false, 1))).isEqualTo(Outcome.TAKEN);
        assertThat(feed.take(part(20, 0, 4, false, 2))).isEqualTo(Outcome.IGNORED);
        assertThat(feed.next(READER).from()).isEqualTo(-5);
        assertThat(feed.take(part(19, 4, 8, false, 5))).isEqualTo(Outcome.GAP);
        assertThat(host(feed)).isEmpty();
        assertThat(feed.take(part(21, 0, 4, false, 1))).isEqualTo(Outcome.TAKEN);
        assertThat(feed.take(part(25, 4, 10, true, 5))).isEqualTo(Outcome.TAKEN);
        assertThat(host(feed)).containsOnlyKeys(1, 5);
        assertThat(feed.next(READER).from()).isEqualTo(21);
        assertThat(feed.take(part(25, 10, 10, true))).isEqualTo(Outcome.IGNORED);
        assertThat(feed.take(part(30, 0, 4, false, 2))).isEqualTo(Outcome.GAP);
        assertThat(host(feed)).containsOnlyKeys(2);
        assertThat(feed.next(READER).from()).isEqualTo(-5);
    }

    @Test
    void pageThatCannotBeOfThisWorkerIsRefusedAndChangesNothing() {
        PeerFeed feed = feed();
        feed.take(part(20, 0, 10, true, 1));
        List<EventFrame> wrong = List.of(new EventFrame.Events(WORKER + 1, 4, 20, List.of()),
                new EventFrame.Held(WORKER + 1, 5, 20, 0, 0, true, List.of()), told(20, removed(1), stored(10, 0, 0)),
                told(20, removed(1), removed(10)), part(20, 0, 100, true, 2, 10));
        for (EventFrame frame : wrong) {
            assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> feed.take(frame))
                    .extracting(RemoteException::kind)
                    .isEqualTo(RemoteException.Kind.MALFORMED);
            assertThat(host(feed)).containsOnlyKeys(1);
            assertThat(feed.next(READER).from()).isEqualTo(20);
        }
    }

    @Test
    void laterStartEndsTheFeedAndAnEarlierOneIsIgnored() {
        PeerFeed feed = feed();
        feed.take(part(20, 0, 10, true, 1));
        assertThat(feed.take(new EventFrame.Held(WORKER, 3, 50, 0, 10, true, List.of()))).isEqualTo(Outcome.IGNORED);
        assertThat(host(feed)).containsOnlyKeys(1);
        assertThat(feed.take(new EventFrame.Events(WORKER, -4, 20, List.of()))).isEqualTo(Outcome.RESTARTED);
        assertThat(index.stats().holders()).isZero();
        assertThat(feed.take(part(20, 0, 10, true, 1))).isEqualTo(Outcome.IGNORED);
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> feed.next(READER))
                .extracting(RemoteException::kind)
                .isEqualTo(RemoteException.Kind.STALE_EPOCH);
        feed.close();
        assertThat(feed().isFollowing()).isFalse();
    }

    @Test
    void pausedWorkerIsFollowedAndNotProposed() {
        PeerFeed feed = PeerFeed.of(index, Exports.of(Exports.level(1)));
        feed.propose(false);
        long identity = Owner.chain(0, 1).probe(0);
        assertThat(feed.take(new EventFrame.Held(7, 0, 0, 0, 16, true, List.of()))).isEqualTo(Outcome.TAKEN);
        assertThat(feed.take(new EventFrame.Events(7, 0, 0, List.of(stored(2, 1, identity)))))
                .isEqualTo(Outcome.TAKEN);
        PeerRun run = new PeerRun(1);
        assertThat(index.prefix(Owner.chain(0, 1), 0, 1, run)).isZero();
        feed.propose(true);
        assertThat(index.prefix(Owner.chain(0, 1), 0, 1, run)).isOne();
        assertThat(run.holder()).isEqualTo(new Holder(7, 0, CacheLevel.G2, 1));
    }
}
