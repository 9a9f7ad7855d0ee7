package io.kvbm.remote;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.token.IdentityChain;

import static io.kvbm.testing.RandomCase.cases;
import static io.kvbm.testing.RandomCase.random;
import static org.assertj.core.api.Assertions.assertThat;

/**
 * Reads from a seed while their slots are reused: between any two steps of a read, and by a thread of its own at full
 * speed. What is true of a slot is asked of the pool's book, never of the board.
 */
@EnabledOnOs(OS.LINUX)
class PeerReadRandomTest {

    private static final int SLOTS = 16;
    private static final int LONGEST = 8;
    private static final int CHAINS = 40;

    private static final List<ReadStep> STEPS = List.of(ReadStep.values());

    private static final List<IdentityChain> chains = chains();

    private static List<IdentityChain> chains() {
        List<IdentityChain> made = new ArrayList<>();
        for (int i = 0; i < CHAINS; i++) {
            made.add(SharedPool.chain(1000 + i, LONGEST));
        }
        return made;
    }

    private static int registered(SharedPool owner, int[] slots, long[] generations) {
        try (BlockList<ImmutableBlock> held = owner.pool.holdSlots(slots, generations)) {
            return held.size();
        }
    }

    // ------------------------------------------------------------------------------------------ one thread

    /** An owner that does something now and then, and a reader whose answers are known beforehand. */
    private static final class Plan implements AutoCloseable {

        final SplittableRandom random;
        final List<Reader.Known> told = new ArrayList<>();
        final Deque<BlockList<ImmutableBlock>> held = new ArrayDeque<>();
        SharedPool owner = SharedPool.of(7, 1, SLOTS, 16);
        Reader reader = reader();
        long epoch = 1;
        boolean restarted;

        ReadStep when = ReadStep.LOOK;
        boolean pending;
        Reader.Known wanted = new Reader.Known(new int[0], new long[0], chains.getFirst(), 0);
        ReadResult before = new ReadResult(0, ReadOutcome.TAKEN);
        ReadResult after = before;

        int planted;
        int reported;
        int taken;
        int wrong;
        int restarts;
        String first = "";

        Plan(long seed) {
            this.random = new SplittableRandom(seed);
        }

        Reader reader() {
            return new Reader(owner.blockset(), ChecksumMode.SAMPLED, this::before);
        }

        void before(ReadStep step) {
            if (pending && step == when) {
                pending = false;
                deed();
                after = truth();
            }
        }

        /** How a look at the wanted blocks ends, as the pool's book has it. */
        ReadResult truth() {
            int n = wanted.size();
            if (restarted) {
                return new ReadResult(0, ReadOutcome.STALE);
            }
            int current = registered(owner, wanted.slots(), wanted.generations());
            int named = 0;
            try (BlockList<ImmutableBlock> found = owner.pool.matchBlocks(wanted.chain(), wanted.from(),
                    wanted.from() + n)) {
                while (named < found.size() && found.get(named).index() == wanted.slots()[named]) {
                    named++;
                }
            }
            int blocks = Math.min(current, named);
            return new ReadResult(blocks, blocks == n ? ReadOutcome.TAKEN
                    : blocks < current ? ReadOutcome.FOREIGN
                            : ReadOutcome.STALE);
        }

        void deed() {
            switch (random.nextInt(20)) {
                case 0 -> rarely(random.nextBoolean() ? owner.pool::clear : owner::reuseAll);
                case 1 -> rarely(this::restart);
                case 2, 3 -> hold();
                case 4 -> letGo();
                case 5 -> {
                    owner.reuseAll();
                    register(wanted.chain());
                }
                default -> register(chains.get(random.nextInt(CHAINS)));
            }
        }

        void rarely(Runnable deed) {
            if (random.nextInt(8) == 0) {
                deed.run();
            }
        }

        void register(IdentityChain chain) {
            if (owner.pool.availableBlocks() == 0) {
                letGo();
            }
            int from = random.nextInt(LONGEST);
            int to = Math.min(from + 1 + random.nextInt(LONGEST - from), from + owner.pool.availableBlocks());
            if (to == from) {
                return; // everything is held
            }
            try (BlockList<ImmutableBlock> blocks = owner.register(chain, from, to)) {
                tell(Reader.known(blocks, chain, from));
            }
        }

        void tell(Reader.Known known) {
            if (told.size() < 5) {
                told.add(known);
            } else {
                told.set(random.nextInt(told.size()), known);
            }
        }

        void hold() {
            if (!told.isEmpty() && held.size() < 3) {
                Reader.Known some = told.get(random.nextInt(told.size()));
                held.add(owner.pool.holdSlots(some.slots(), some.generations()));
            }
        }

        void letGo() {
            if (!held.isEmpty()) {
                held.remove().close();
            }
        }

        /** The worker stops; another of its number starts, which this reader does not know. */
        void restart() {
            held.forEach(BlockList::close);
            held.clear();
            owner.close();
            owner = SharedPool.of(7, ++epoch, SLOTS, 16);
            restarted = true;
            restarts++;
        }

        void read() {
            choose();
            before = truth();
            after = before;
            pending = random.nextBoolean();
            when = STEPS.get(random.nextInt(STEPS.size()));
            ReadResult result = reader.read(wanted);
            ReadResult expected = expected();
            taken += result.blocks();
            int bad = reader.wrong(wanted, result.blocks());
            wrong += bad;
            if (expected.end() != ReadOutcome.TAKEN) {
                planted++;
                reported += result.equals(expected) ? 1 : 0;
            }
            if (first.isEmpty() && (bad > 0 || !result.equals(expected))) {
                first = wanted + ", deed before " + when + ": " + result + ", expected " + expected + ", wrong bytes "
                        + bad;
            }
            if (random.nextInt(4) == 0) {
                deed();
            }
            if (restarted) {
                restarted = false;
                told.clear();
                reader.close();
                reader = reader();
            }
        }

        /** Something that was told of, now and then not quite as it was told. */
        void choose() {
            while (told.isEmpty()) {
                register(chains.get(random.nextInt(CHAINS)));
            }
            Reader.Known known = told.get(random.nextInt(told.size()));
            int[] slots = known.slots().clone();
            long[] generations = known.generations().clone();
            IdentityChain chain = known.chain();
            int from = known.from();
            int at = random.nextInt(slots.length);
            switch (random.nextInt(16)) {
                case 0 -> generations[at] += random.nextBoolean() ? 1 : -1;
                case 1 -> generations[at] ^= 1L << random.nextInt(63);
                case 2 -> chain = chains.get(random.nextInt(CHAINS));
                case 3 -> from = Math.max(0, from - 1);
                default -> {
                }
            }
            wanted = new Reader.Known(slots, generations, chain, from);
        }

        ReadResult expected() {
            if (when == ReadStep.LOOK) {
                return after;
            }
            boolean torn = when != ReadStep.CHECKSUM && after.blocks() < before.blocks();
            return torn ? new ReadResult(after.blocks(), ReadOutcome.TORN) : before;
        }

        @Override
        public void close() {
            held.forEach(BlockList::close);
            reader.close();
            owner.close();
        }
    }

    @Test
    void everyReadOfAPlanEndsAsThePoolsBookSays() {
        Random seeds = random("PeerReadRandomTest.plan");
        int reads = cases(125_000);
        int perPlan = 5000;
        int taken = 0;
        int planted = 0;
        int restarts = 0;
        for (int done = 0; done < reads; done += perPlan) {
            long seed = seeds.nextLong();
            try (Plan plan = new Plan(seed)) {
                for (int i = 0; i < perPlan; i++) {
                    plan.read();
                }
                assertThat(plan.first).as("plan of seed %d: %d of %d reported, %d wrong", seed, plan.reported,
                        plan.planted, plan.wrong).isEmpty();
                assertThat(plan.wrong).isZero();
                assertThat(plan.reported).isEqualTo(plan.planted);
                taken += plan.taken;
                planted += plan.planted;
                restarts += plan.restarts;
            }
        }
        System.out.println("PeerReadRandomTest.plan: " + reads + " reads, " + taken + " blocks taken, " + planted
                + " reads of what had gone or was going, all reported, " + restarts + " restarts of the owner");
        assertThat(taken).isGreaterThan(reads / 2);
        assertThat(planted).isGreaterThan(reads / 10);
        assertThat(restarts).isGreaterThan(reads / 1000);
    }

    // ------------------------------------------------------------------------------------------ two threads

    /** Registers without a pause, each time over what was registered before, and says what it has registered. */
    private static final class Churn implements AutoCloseable {

        static final int TOLD = 8;

        final SharedPool owner;
        final AtomicReferenceArray<Reader.Known> told = new AtomicReferenceArray<>(TOLD);
        final AtomicInteger round = new AtomicInteger();
        final FutureTask<Integer> rounds;
        volatile boolean stopped;

        Churn(SharedPool owner, long seed) {
            this.owner = owner;
            this.rounds = new FutureTask<>(() -> run(new SplittableRandom(seed)));
            Thread.ofPlatform().name("churn").start(rounds);
        }

        int run(SplittableRandom random) {
            Deque<BlockList<ImmutableBlock>> held = new ArrayDeque<>();
            while (!stopped) {
                IdentityChain chain = chains.get(random.nextInt(CHAINS));
                int from = random.nextInt(LONGEST);
                int to = from + 1 + random.nextInt(LONGEST - from);
                BlockList<ImmutableBlock> blocks = owner.register(chain, from, to);
                Reader.Known known = Reader.known(blocks, chain, from);
                told.set(0, known);
                told.set(1 + random.nextInt(TOLD - 1), known);
                held.add(blocks);
                while (held.size() > 1 || (!held.isEmpty() && random.nextInt(4) == 0)) {
                    held.remove().close();
                }
                if (random.nextInt(1000) == 0) {
                    owner.pool.clear();
                }
                round.incrementAndGet();
            }
            held.forEach(BlockList::close);
            return round.get();
        }

        /** Waits until there is something to read again. */
        void awaitRounds(int rounds) {
            int target = round.get() + rounds;
            while (round.get() < target && !this.rounds.isDone()) {
                LockSupport.parkNanos(1000);
            }
        }

        @Override
        public void close() throws ExecutionException, TimeoutException {
            stopped = true;
            boolean interrupted = false;
            try {
                rounds.get(60, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Between two steps of a read: does nothing, waits for others to do something, or makes a block go for certain. */
    private static final class Meddler implements ReadStep.Watcher {

        final SharedPool owner;
        final SplittableRandom random;
        Reader.Known wanted = new Reader.Known(new int[0], new long[0], chains.getFirst(), 0);
        ReadStep when = ReadStep.LOOK;
        int goes;

        Meddler(SharedPool owner, long seed) {
            this.owner = owner;
            this.random = new SplittableRandom(seed);
        }

        void plan(Reader.Known known) {
            wanted = known;
            when = STEPS.get(random.nextInt(STEPS.size()));
            goes = random.nextInt(16) == 0 ? random.nextInt(known.size()) : -1;
        }

        boolean planted() {
            return goes >= 0 && when != ReadStep.CHECKSUM;
        }

        @Override
        public void before(ReadStep step) {
            if (step != when) {
                return;
            }
            if (goes < 0) {
                for (int i = random.nextInt(3) == 0 ? random.nextInt(2000) : 0; i > 0; i--) {
                    Thread.onSpinWait();
                }
                return;
            }
            int[] slot = {wanted.slots()[goes]};
            long[] generation = {wanted.generations()[goes]};
            if (random.nextBoolean()) {
                owner.reuse(LONGEST);
            }
            while (registered(owner, slot, generation) > 0) {
                owner.pool.clear();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"16, 100000", "512, 15000", "4096, 10000"})
    void noReadTakesWrongBytesWhileAnotherThreadReusesTheSlots(int words, int base) throws Exception {
        Random seeds = random("PeerReadRandomTest.churn");
        int reads = cases(base);
        int taken = 0;
        int torn = 0;
        int planted = 0;
        int reported = 0;
        int gone = 0;
        int goneReported = 0;
        int wrong = 0;
        int rounds;
        try (SharedPool owner = SharedPool.of(7, 1, 4 * SLOTS, words)) {
            Meddler meddler = new Meddler(owner, seeds.nextLong());
            try (Churn churn = new Churn(owner, seeds.nextLong());
                    Reader reader = new Reader(owner.blockset(), ChecksumMode.OFF, meddler)) {
                churn.awaitRounds(100);
                for (int i = 0; i < reads; i++) {
                    Reader.Known known = churn.told
                            .get(Math.max(0, meddler.random.nextInt(2 * Churn.TOLD) - Churn.TOLD));
                    meddler.plan(known);
                    int current = i % 8 == 0 ? registered(owner, known.slots(), known.generations()) : known.size();
                    ReadResult result = reader.read(known);
                    wrong += reader.wrong(known, result.blocks());
                    taken += result.blocks();
                    torn += result.end() == ReadOutcome.TORN ? 1 : 0;
                    if (current < known.size()) {
                        gone++;
                        goneReported += result.blocks() <= current && result.end() != ReadOutcome.TAKEN ? 1 : 0;
                    }
                    if (meddler.planted()) {
                        planted++;
                        reported += result.blocks() <= meddler.goes && result.end() != ReadOutcome.TAKEN ? 1 : 0;
                        churn.awaitRounds(Churn.TOLD);
                    }
                }
                churn.stopped = true;
                rounds = churn.rounds.get(60, TimeUnit.SECONDS);
            }
        }
        String found = reads + " reads of " + words * Long.BYTES + " bytes, " + rounds + " registrations meanwhile, "
                + taken + " blocks taken, " + wrong + " wrong, " + torn + " torn, " + reported + " of " + planted
                + " planted and " + goneReported + " of " + gone + " found stale reported";
        System.out.println("PeerReadRandomTest.churn: " + found);
        assertThat(wrong).as(found).isZero();
        assertThat(reported).as(found).isEqualTo(planted);
        assertThat(goneReported).as(found).isEqualTo(gone);
        assertThat(taken).as(found).isGreaterThan(reads / 10);
        assertThat(planted).as(found).isGreaterThan(reads / 40);
        assertThat(torn).as(found).isGreaterThan(reads / 1000);
        assertThat(rounds).as(found).isGreaterThan(reads / 100);
    }
}
