package io.kvbm.remote;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

import com.sun.management.ThreadMXBean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.error.ConfigException;
import io.kvbm.error.RemoteException;
import io.kvbm.storage.CacheLevel;
import io.kvbm.testing.RandomCase;
import io.kvbm.token.IdentityChain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** What the index proposes, beside a plain map from holder and slot to identity. */
class PeerIndexTest {

    private static final long EPOCH = 7;

    private final PeerIndex index = new PeerIndex(64, 1 << 16, 99);

    private static IdentityChain chain(int first, int blocks) {
        IdentityChain chain = IdentityChain.xxh3(4, 1337);
        chain.extend(IntStream.range(first, first + 4 * blocks).toArray(), 0, 4 * blocks);
        return chain;
    }

    private static List<IndexedLevel> host(int slots) {
        return List.of(new IndexedLevel(CacheLevel.G2, 1, slots));
    }

    private IndexedPeer open(long worker, int slots) {
        return index.open(worker, EPOCH, host(slots));
    }

    private static HeldSlots host(IndexedPeer peer) {
        return Objects.requireNonNull(peer.level(CacheLevel.G2));
    }

    private void store(IndexedPeer peer, IdentityChain chain, int from, int to, int slot) {
        SlotChanges changes = new SlotChanges();
        for (int i = from; i < to; i++) {
            changes.stored(slot + i - from, 5, chain.probe(i));
        }
        index.apply(peer, host(peer), changes);
    }

    private void remove(IndexedPeer peer, int... slots) {
        SlotChanges changes = new SlotChanges();
        IntStream.of(slots).forEach(changes::removed);
        index.apply(peer, host(peer), changes);
    }

    private PeerRun prefix(IdentityChain chain, int from, int to) {
        PeerRun run = new PeerRun(0);
        assertThat(index.prefix(chain, from, to, run)).isEqualTo(run.length());
        return run;
    }

    @Test
    void nobodyHoldsWhatNobodyStored() {
        assertThat(prefix(chain(0, 3), 0, 3).length()).isZero();
        open(1, 8);
        assertThat(prefix(chain(0, 3), 0, 3).length()).isZero();
    }

    @Test
    void runSaysWhoHoldsItAndWhere() {
        IdentityChain chain = chain(0, 5);
        store(open(17, 8), chain, 1, 4, 3);
        PeerRun run = prefix(chain, 1, 5);
        assertThat(run.length()).isEqualTo(3);
        assertThat(run.holder()).isEqualTo(new Holder(17, EPOCH, CacheLevel.G2, 1));
        assertThat(IntStream.range(0, 3).map(run::slot)).containsExactly(3, 4, 5);
        assertThat(IntStream.range(0, 3).mapToLong(run::generation)).containsOnly(5L);
        assertThat(prefix(chain, 0, 5).length()).isZero();
        assertThat(prefix(chain, 1, 2).length()).isOne();
        assertThat(prefix(chain, 2, 2).length()).isZero();
    }

    @Test
    void longestRunOfOneHolderWinsOverWhatSeveralHaveTogether() {
        IdentityChain chain = chain(0, 9);
        store(open(1, 16), chain, 0, 4, 0);
        store(open(2, 16), chain, 0, 6, 4);
        store(open(3, 16), chain, 5, 9, 0);
        store(open(4, 16), chain, 0, 1, 0);
        PeerRun run = prefix(chain, 0, 9);
        assertThat(run.length()).isEqualTo(6);
        assertThat(run.holder().workerId()).isEqualTo(2);
    }

    @Test
    void equalHoldersAreChosenEvenlyByTheIdentity() {
        int blocks = 600;
        IdentityChain chain = chain(0, blocks);
        IntStream.range(0, 3).forEach(worker -> store(open(worker, 1024), chain, 0, blocks, 0));
        int[] chosen = new int[3];
        for (int i = 0; i < blocks; i++) {
            chosen[(int) prefix(chain, i, blocks).holder().workerId()]++;
        }
        assertThat(IntStream.of(chosen)).allMatch(n -> n > blocks / 6);
    }

    @Test
    void slotStoredAnewHoldsTheLastOnly() {
        IdentityChain chain = chain(0, 2);
        IndexedPeer peer = open(1, 8);
        store(peer, chain, 0, 1, 3);
        store(peer, chain, 1, 2, 3);
        assertThat(prefix(chain, 0, 2).length()).isZero();
        assertThat(prefix(chain, 1, 2).slot(0)).isEqualTo(3);
        remove(peer, 3, 3, 4);
        assertThat(index.stats()).isEqualTo(new PeerIndexStats(1, 8, 0, 0, index.stats().bytes()));
    }

    @Test
    void identityInTwoSlotsIsHeldUntilBothAreEmpty() {
        IdentityChain chain = chain(0, 1);
        IndexedPeer peer = open(1, 8);
        store(peer, chain, 0, 1, 3);
        store(peer, chain, 0, 1, 5);
        remove(peer, 3);
        assertThat(prefix(chain, 0, 1).slot(0)).isEqualTo(5);
        remove(peer, 5);
        assertThat(prefix(chain, 0, 1).length()).isZero();
    }

    @Test
    void clearedLevelLeavesTheOtherLevel() {
        IdentityChain chain = chain(0, 4);
        IndexedPeer peer = index.open(1, EPOCH,
                List.of(new IndexedLevel(CacheLevel.G1, 0, 300), new IndexedLevel(CacheLevel.G2, 1, 300)));
        store(peer, chain, 0, 2, 290);
        HeldSlots device = Objects.requireNonNull(peer.level(CacheLevel.G1));
        SlotChanges changes = new SlotChanges();
        IntStream.range(0, 4).forEach(i -> changes.stored(i, 0, chain.probe(i)));
        index.apply(peer, device, changes);
        assertThat(prefix(chain, 0, 4).holder().level()).isEqualTo(CacheLevel.G1);
        index.clear(peer, device);
        assertThat(prefix(chain, 0, 4).holder()).isEqualTo(new Holder(1, EPOCH, CacheLevel.G2, 1));
        index.clear(peer, host(peer));
        assertThat(prefix(chain, 0, 4).length()).isZero();
    }

    @Test
    void pausedPeerIsNotProposedAndStillFollowed() {
        IdentityChain chain = chain(0, 4);
        IndexedPeer peer = open(1, 8);
        store(peer, chain, 0, 2, 0);
        index.propose(peer, false);
        store(peer, chain, 2, 4, 2);
        assertThat(prefix(chain, 0, 4).length()).isZero();
        index.propose(peer, true);
        assertThat(prefix(chain, 0, 4).length()).isEqualTo(4);
    }

    @Test
    void laterStartDropsTheEarlierOneAndWhatStillComesFromIt() {
        IdentityChain chain = chain(0, 4);
        IndexedPeer earlier = open(1, 8);
        store(earlier, chain, 0, 4, 0);
        IndexedPeer later = index.open(1, EPOCH + 1, host(8));
        assertThat(prefix(chain, 0, 4).length()).isZero();
        store(earlier, chain, 0, 4, 0);
        index.clear(earlier, host(earlier));
        index.propose(earlier, true);
        assertThat(prefix(chain, 0, 4).length()).isZero();
        store(later, chain, 0, 4, 0);
        index.close(earlier);
        assertThat(prefix(chain, 0, 4).holder().epoch()).isEqualTo(EPOCH + 1);
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> open(1, 8))
                .extracting(RemoteException::kind)
                .isEqualTo(RemoteException.Kind.STALE_EPOCH);
        index.close(later);
        assertThat(index.stats().blocks()).isZero();
        assertThat(open(1, 8).epoch).isEqualTo(EPOCH);
    }

    @Test
    void identityZeroIsLikeAnyOther() {
        HolderTable table = new HolderTable(10, 2, 3);
        assertThat(table.find(0)).isEqualTo(HolderTable.NONE);
        table.add(0, 70);
        table.add(0, 1);
        assertThat(table.word(table.find(0), 1)).isEqualTo(1L << 6);
        assertThat(table.resized(100).word(table.find(0), 0)).isEqualTo(2);
        table.remove(0, 70);
        table.remove(0, 1);
        assertThat(table.find(0)).isEqualTo(HolderTable.NONE);
        assertThat(table.size()).isZero();
    }

    @Test
    void moreThanTheLimitsIsRefusedAndWhatLeavesMakesRoom() {
        PeerIndex small = new PeerIndex(2, 100, 1);
        IndexedPeer first = small.open(1, EPOCH, host(60));
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> small.open(2, EPOCH, host(41)))
                .withMessageContaining("101 slots")
                .extracting(RemoteException::kind)
                .isEqualTo(RemoteException.Kind.LIMIT);
        small.open(2, EPOCH, host(40));
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> small.open(3, EPOCH, host(1)))
                .extracting(RemoteException::kind)
                .isEqualTo(RemoteException.Kind.LIMIT);
        small.close(first);
        small.open(3, EPOCH, host(60));
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> new PeerIndex(0, 1, 1));
        assertThatExceptionOfType(ConfigException.class).isThrownBy(() -> new PeerIndex(1, 0, 1));
        assertThatExceptionOfType(ConfigException.class)
                .isThrownBy(() -> new PeerIndex(PeerIndex.MAX_HOLDERS, PeerIndex.MAX_SLOTS, 1));
        assertThatExceptionOfType(RemoteException.class)
                .isThrownBy(() -> index.open(1, 1, List.of(host(1).getFirst(), host(1).getFirst())))
                .extracting(RemoteException::kind)
                .isEqualTo(RemoteException.Kind.MALFORMED);
    }

    @Test
    void memoryIsBoundedPerSlotAndGivenBack() {
        PeerIndex large = new PeerIndex(64, 1 << 20, 5);
        long empty = large.stats().bytes();
        List<IndexedPeer> peers = new ArrayList<>();
        for (int worker = 0; worker < 64; worker++) {
            int slots = 1000 + 150 * worker;
            peers.add(large.open(worker, EPOCH, host(slots)));
            PeerIndexStats stats = large.stats();
            assertThat(stats.bytes()).isLessThanOrEqualTo(81 * stats.slots() + 1024);
        }
        Random random = new Random(1);
        SlotChanges changes = new SlotChanges();
        IntStream.range(0, 1000).forEach(slot -> changes.stored(slot, 0, random.nextLong()));
        long full = large.stats().bytes();
        for (IndexedPeer peer : peers) {
            large.apply(peer, host(peer), changes);
        }
        assertThat(large.stats().blocks()).isEqualTo(64_000);
        assertThat(large.stats().bytes()).isEqualTo(full);
        peers.forEach(large::close);
        assertThat(large.stats()).isEqualTo(new PeerIndexStats(0, 0, 0, 0, empty));
    }

    @Test
    void lookupAllocatesNothing() {
        IdentityChain chain = chain(0, 128);
        IntStream.range(0, 8).forEach(worker -> store(open(worker, 256), chain, 0, 100 + worker, 0));
        PeerRun run = new PeerRun(128);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long allocated = Long.MAX_VALUE;
        for (int round = 0; round < 20 && allocated > 0; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 1000; i++) {
                index.prefix(chain, 0, 128, run);
            }
            allocated = threads.getCurrentThreadAllocatedBytes() - before;
        }
        assertThat(run.length()).isEqualTo(107);
        assertThat(allocated).isZero();
    }

    /** Version k of a holder has block i in slot (i + 5k) % 32, of generation k; every tenth version has none. */
    @Test
    void lookupBesideAWriterGivesWhatWasTrueAtOneMoment() throws Exception {
        int blocks = 32;
        int versions = RandomCase.cases(5_000);
        IdentityChain chain = chain(0, blocks);
        PeerIndex tested = new PeerIndex(2, 1 << 12, 4);
        IndexedPeer peer = tested.open(1, EPOCH, host(blocks));
        AtomicLong started = new AtomicLong();
        AtomicLong done = new AtomicLong();
        try (ExecutorService threads = Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory())) {
            List<Future<Long>> lookups = IntStream.range(0, 2)
                    .mapToObj(_ -> threads.submit(() -> lookups(tested, chain, started, done, versions)))
                    .toList();
            Future<?> churn = threads.submit(() -> joinAndLeave(tested, done, versions));
            for (int version = 1; version <= versions; version++) {
                SlotChanges changes = new SlotChanges();
                IntStream.range(0, blocks).forEach(changes::removed);
                for (int i = 0; i < blocks && version % 10 != 0; i++) {
                    changes.stored((i + 5 * version) % blocks, version, chain.probe(i));
                }
                started.set(version);
                tested.apply(peer, host(peer), changes);
                done.set(version);
            }
            churn.get();
            for (Future<Long> found : lookups) {
                assertThat(found.get()).isPositive();
            }
        }
    }

    /** The other holder comes and goes, so that the common table is made anew, and has none of the blocks. */
    private static void joinAndLeave(PeerIndex tested, AtomicLong done, int versions) {
        Random random = new Random(1);
        while (done.get() < versions) {
            IndexedPeer other = tested.open(2, EPOCH, host(1 + random.nextInt(2000)));
            SlotChanges changes = new SlotChanges();
            IntStream.range(0, host(other).slots()).forEach(slot -> changes.stored(slot, 0, random.nextLong()));
            tested.apply(other, host(other), changes);
            tested.close(other);
        }
    }

    private static long lookups(PeerIndex tested, IdentityChain chain, AtomicLong started, AtomicLong done,
            int versions) {
        PeerRun run = new PeerRun(chain.size());
        long found = 0;
        while (done.get() < versions) {
            long earliest = done.get();
            tested.prefix(chain, 0, chain.size(), run);
            long latest = started.get();
            if (run.length() == 0) {
                assertThat(latest - latest % 10).isGreaterThanOrEqualTo(earliest);
            } else {
                assertThat(run.length()).isEqualTo(chain.size());
                long version = run.generation(0);
                assertThat(version).isBetween(earliest, latest);
                for (int i = 0; i < run.length(); i++) {
                    assertThat(run.generation(i)).isEqualTo(version);
                    assertThat(run.slot(i)).isEqualTo((int) ((i + 5 * version) % chain.size()));
                }
                found++;
            }
        }
        return found;
    }

    /** Few identities, of which some have one place in the tables, so that runs collide, wrap and close. */
    @ParameterizedTest
    @ValueSource(ints = {3, 64, 130})
    void indexProposesWhatAMapSays(int maxHolders) {
        Random random = RandomCase.random("PeerIndexTest " + maxHolders);
        for (int round = 0; round < RandomCase.cases(20); round++) {
            PeerIndex tested = new PeerIndex(maxHolders, 1 << 14, random.nextLong());
            Map<Long, IndexedPeer> open = new HashMap<>();
            Map<Long, Map<Integer, long[]>> model = new HashMap<>();
            IdentityChain chain = chain(random.nextInt(), 24);
            for (int step = 0; step < 400; step++) {
                long worker = random.nextInt(maxHolders);
                if (!open.containsKey(worker)) {
                    int slots = 1 + random.nextInt(40);
                    open.put(worker, tested.open(worker, step, host(slots)));
                    model.put(worker, new HashMap<>());
                } else if (random.nextInt(20) == 0) {
                    tested.close(open.remove(worker));
                    model.remove(worker);
                } else if (random.nextInt(20) == 0) {
                    open.put(worker, tested.open(worker, step, host(1 + random.nextInt(40))));
                    model.put(worker, new HashMap<>());
                } else if (random.nextInt(20) == 0) {
                    tested.clear(open.get(worker), host(open.get(worker)));
                    model.put(worker, new HashMap<>());
                } else {
                    change(random, tested, open.get(worker), Objects.requireNonNull(model.get(worker)), chain);
                }
                compare(random, tested, model, chain);
            }
        }
    }

    private static void change(Random random, PeerIndex tested, IndexedPeer peer, Map<Integer, long[]> model,
            IdentityChain chain) {
        SlotChanges changes = new SlotChanges();
        for (int n = random.nextInt(100); n > 0; n--) {
            int slot = random.nextInt(host(peer).slots());
            if (random.nextInt(3) == 0) {
                changes.removed(slot);
                model.remove(slot);
            } else {
                long identity = random.nextInt(50) == 0 ? 0 : chain.probe(random.nextInt(chain.size()));
                long generation = random.nextInt(5);
                changes.stored(slot, generation, identity);
                model.put(slot, new long[]{identity, generation});
            }
        }
        tested.apply(peer, host(peer), changes);
    }

    private static void compare(Random random, PeerIndex tested, Map<Long, Map<Integer, long[]>> model,
            IdentityChain chain) {
        PeerIndexStats stats = tested.stats();
        assertThat(stats.holders()).isEqualTo(model.size());
        assertThat(stats.blocks()).isEqualTo(model.values().stream().mapToLong(Map::size).sum());
        assertThat(stats.identities()).isEqualTo(model.values()
                .stream()
                .flatMap(slots -> slots.values().stream())
                .mapToLong(held -> held[0])
                .distinct()
                .count());
        int from = random.nextInt(chain.size());
        int longest = 0;
        for (Map<Integer, long[]> slots : model.values()) {
            int length = 0;
            while (from + length < chain.size() && holds(slots, chain.probe(from + length))) {
                length++;
            }
            longest = Math.max(longest, length);
        }
        PeerRun run = new PeerRun(4);
        assertThat(tested.prefix(chain, from, chain.size(), run)).isEqualTo(longest);
        for (int i = 0; i < run.length(); i++) {
            assertThat(model.getOrDefault(run.holder().workerId(), Map.of()).get(run.slot(i)))
                    .containsExactly(chain.probe(from + i), run.generation(i));
        }
    }

    private static boolean holds(Map<Integer, long[]> slots, long identity) {
        return slots.values().stream().anyMatch(held -> held[0] == identity);
    }
}
