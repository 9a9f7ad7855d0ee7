package io.kvbm.pool;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.kvbm.block.BlockHandle;
import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.block.Pin;
import io.kvbm.block.PinList;
import io.kvbm.error.KvbmException;
import io.kvbm.error.PoolException;
import io.kvbm.testing.RandomCase;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;
import io.kvbm.token.TokenBlock;
import io.kvbm.token.TokenBlockSequence;
import io.kvbm.token.Tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** Random plans, each step of which the pool and its {@link PoolModel} have to answer alike. */
@Timeout(1200)
class PoolPlanTest {

    private static final int STEPS = 1000;
    private static final int LENGTH = 5;

    @ParameterizedTest
    @CsvSource({"SHA256, LINEAGE", "XXH3, LINEAGE", "SHA256, PRIORITY", "XXH3, PRIORITY"})
    void poolAndModelAgreeOnEveryStep(IdentityKind kind, ReusePolicy policy) {
        Random seeds = RandomCase.random("PoolPlanTest " + kind + " " + policy);
        for (int i = 0; i < RandomCase.cases(25); i++) {
            long seed = seeds.nextLong();
            PoolSubject oracle = new PoolSubject();
            Plan plan = new Plan(oracle, kind, policy, new Random(seed));
            int step = 0;
            try {
                for (; step < STEPS; step++) {
                    plan.step();
                }
                plan.end();
            } catch (Throwable e) {
                throw new AssertionError(
                        "plan " + i + " with seed " + seed + " failed at step " + step + ", " + plan.last, e);
            }
        }
    }

    private static final class Plan {

        private final PoolSubject oracle;
        private final Random random;
        private final RecordedEvents events = new RecordedEvents();
        private final BlockPool pool;
        private final PoolModel model;
        private final List<IdentityChain> chains = new ArrayList<>();
        private final Map<Long, Long> identities = new HashMap<>();
        private final List<List<TokenBlock>> contents = new ArrayList<>();
        private final List<MutableBlock> mutable = new ArrayList<>();
        private final List<ImmutableBlock> shared = new ArrayList<>();
        private final List<Pin> pins = new ArrayList<>();
        private String last = "nothing";

        private Plan(PoolSubject oracle, IdentityKind kind, ReusePolicy policy, Random random) {
            this.oracle = oracle;
            this.random = random;
            int size = 1 + random.nextInt(12);
            this.model = new PoolModel(size, policy, hash -> identities.getOrDefault(hash, hash));
            this.pool = oracle.track(PoolSubject.builder(size, 4)
                    .identity(kind)
                    .reusePolicy(policy)
                    .events(events)
                    .leakDetection(random.nextBoolean() ? LeakDetection.FULL : LeakDetection.SAMPLED));
            for (int path = 0; path < 6; path++) {
                int[] tokens = IntStream.range(0, 4 * LENGTH).toArray();
                // paths share the first blocks with each other, as prompts do
                for (int at = 4 * random.nextInt(LENGTH); at < tokens.length; at++) {
                    tokens[at] += 1000 * path;
                }
                IdentityChain chain = Content.chain(kind, 0, 0);
                chain.extend(tokens, 0, tokens.length);
                chains.add(chain);
                for (int i = 0; i < chain.size(); i++) {
                    identities.put(chain.sequenceHash(i), chain.probe(i));
                }
                contents.add(new TokenBlockSequence(Tokens.of(tokens), 4, Content.SALT).blocks());
            }
        }

        void step() throws InterruptedException {
            switch (random.nextInt(17)) {
                case 0, 1 -> allocate(false);
                case 2 -> allocate(true);
                case 3, 4 -> registerChain();
                case 5 -> registerBlocks();
                case 6, 7, 8 -> match();
                case 9 -> share();
                case 10 -> pin();
                case 11 -> closeOne();
                case 12, 13 -> closeMany();
                case 14 -> unpin();
                case 15 -> priority();
                default -> rare();
            }
            compare();
        }

        private void rare() {
            switch (random.nextInt(4)) {
                case 0 -> clear();
                case 1 -> abandon();
                case 2 -> refused();
                default -> pinAll();
            }
        }

        private void allocate(boolean waiting) throws InterruptedException {
            int n = random.nextInt(Math.min(5, pool.totalBlocks() + 1));
            last = "allocate " + n + (waiting ? " in time" : "");
            boolean enough = n <= model.available();
            try {
                BlockList<MutableBlock> blocks = waiting
                        ? pool.allocateBlocks(n, Duration.ZERO)
                        : pool.allocateBlocks(n);
                assertThat(enough).as("enough blocks for %d", n).isTrue();
                assertThat(blocks).hasSize(n);
                model.allocated(Content.slots(blocks));
                mutable.addAll(blocks);
            } catch (PoolException e) {
                assertThat(e.kind()).isEqualTo(waiting
                        ? PoolException.Kind.DEADLINE_EXCEEDED
                        : PoolException.Kind.NOT_ENOUGH_BLOCKS);
                assertThat(enough).as("enough blocks for %d", n).isFalse();
            }
        }

        private List<MutableBlock> someToRegister() {
            mutable.removeIf(BlockHandle::isClosed);
            Collections.shuffle(mutable, random);
            return mutable.stream()
                    .filter(block -> pool.ledger.slots.holders(block.index()) == 1)
                    .limit(random.nextInt(LENGTH))
                    .toList();
        }

        private void registerChain() {
            List<MutableBlock> filled = someToRegister();
            int path = random.nextInt(chains.size());
            int from = random.nextInt(LENGTH - filled.size() + 1);
            last = "register " + filled + " as path " + path + " from " + from;
            List<Integer> given = Content.slots(filled);
            BlockList<ImmutableBlock> registered = pool.registerBlocks(filled, chains.get(path), from);
            assertThat(Content.slots(registered)).isEqualTo(
                    model.registered(given, contents.get(path).subList(from, from + given.size()), true, from));
            shared.addAll(registered);
        }

        /** Blocks of any paths, also the same twice; of a pool with wide identities it is refused. */
        private void registerBlocks() {
            List<MutableBlock> filled = someToRegister();
            last = "register " + filled + " by their hashes";
            List<Integer> given = Content.slots(filled);
            List<TokenBlock> blocks = new ArrayList<>();
            for (MutableBlock block : filled) {
                List<TokenBlock> path = contents.get(random.nextInt(contents.size()));
                blocks.add(path.get(random.nextInt(LENGTH)));
                block.reset();
                model.priority(block.index(), 0);
                block.applyTokenBlock(blocks.getLast());
            }
            if (pool.identity() == IdentityKind.SHA256) {
                assertThatExceptionOfType(KvbmException.class).isThrownBy(() -> pool.registerBlocks(filled));
                return;
            }
            BlockList<ImmutableBlock> registered = pool.registerBlocks(filled);
            assertThat(Content.slots(registered)).isEqualTo(model.registered(given, blocks, false, 0));
            shared.addAll(registered);
        }

        private void match() {
            int path = random.nextInt(chains.size());
            int from = random.nextInt(3) == 0 ? random.nextInt(LENGTH) : 0;
            int to = from + random.nextInt(LENGTH - from + 1);
            last = "match path " + path + " from " + from + " to " + to;
            List<TokenBlock> asked = contents.get(path).subList(from, to);
            BlockList<ImmutableBlock> found = pool.identity() == IdentityKind.XXH3 && random.nextBoolean()
                    ? pool.matchSequenceHashes(Content.hashes(asked))
                    : pool.matchBlocks(chains.get(path), from, to);
            assertThat(Content.slots(found)).isEqualTo(model.matched(asked));
            assertThat(found).extracting(ImmutableBlock::sequenceHash)
                    .isEqualTo(asked.subList(0, found.size()).stream().map(TokenBlock::sequenceHash).toList());
            assertThat(found).extracting(ImmutableBlock::generation)
                    .isEqualTo(found.stream().map(block -> model.generation(block.index())).toList());
            shared.addAll(found);
        }

        private void share() {
            shared.removeIf(BlockHandle::isClosed);
            if (!shared.isEmpty()) {
                ImmutableBlock block = shared.get(random.nextInt(shared.size()));
                last = "share " + block;
                shared.add(block.share());
                model.hold(block.index());
            }
        }

        private List<BlockHandle> handles() {
            List<BlockHandle> all = new ArrayList<>(mutable);
            all.addAll(shared);
            Collections.shuffle(all, random);
            return all;
        }

        private void pin() {
            for (BlockHandle handle : handles()) {
                if (!handle.isClosed()) {
                    last = "pin " + handle;
                    pins.add(handle.pin());
                    model.hold(handle.index());
                    return;
                }
            }
        }

        private void pinAll() {
            List<BlockHandle> open = handles().stream().filter(handle -> !handle.isClosed()).limit(4).toList();
            last = "pin and unpin " + open;
            try (PinList all = PinList.of(open)) {
                open.forEach(handle -> model.hold(handle.index()));
                assertThat(all).extracting(Pin::id).isEqualTo(open.stream().map(BlockHandle::id).toList());
                compare();
            }
            open.forEach(handle -> model.letGo(handle.index()));
        }

        private void unpin() {
            if (!pins.isEmpty()) {
                Pin pin = pins.remove(random.nextInt(pins.size()));
                last = "unpin " + pin.id();
                pin.close();
                pin.close();
                model.letGo(pin.id().index());
            }
        }

        /** Also of handles that are closed already, which changes nothing. */
        private void closeOne() {
            List<BlockHandle> all = handles();
            if (!all.isEmpty()) {
                BlockHandle handle = all.getFirst();
                last = "close " + handle;
                boolean open = !handle.isClosed();
                handle.close();
                if (open) {
                    model.letGo(handle.index());
                }
            }
        }

        private void closeMany() {
            BlockHandle[] some = handles().stream().limit(random.nextInt(8)).toArray(BlockHandle[]::new);
            last = "close " + List.of(some);
            List<Integer> open = new ArrayList<>();
            for (BlockHandle handle : some) {
                if (!handle.isClosed()) {
                    open.add(handle.index());
                }
            }
            pool.closeAll(List.of(some));
            open.reversed().forEach(model::letGo);
            mutable.removeIf(BlockHandle::isClosed);
            shared.removeIf(BlockHandle::isClosed);
        }

        private void clear() {
            last = "clear";
            assertThat(pool.clear()).isEqualTo(model.clear());
        }

        /** Half a content and back. */
        private void abandon() {
            mutable.removeIf(BlockHandle::isClosed);
            if (!mutable.isEmpty()) {
                MutableBlock block = mutable.removeLast();
                last = "abandon " + block;
                block.reset();
                model.priority(block.index(), 0);
                block.initSequence(1);
                block.addToken(1);
                block.close();
                model.letGo(block.index());
            }
        }

        private void priority() {
            for (MutableBlock block : mutable) {
                if (!block.isClosed()) {
                    int priority = random.nextInt(4) - 1;
                    last = "priority " + priority + " of " + block;
                    block.priority(priority);
                    model.priority(block.index(), priority);
                    return;
                }
            }
        }

        /** Requests of which nothing must remain. */
        private void refused() {
            last = "refused requests";
            assertThatExceptionOfType(PoolException.class)
                    .isThrownBy(() -> pool.allocateBlocks(pool.totalBlocks() + 1));
            List<MutableBlock> open = mutable.stream().filter(block -> !block.isClosed()).limit(2).toList();
            if (!open.isEmpty()) {
                List<MutableBlock> twice = new ArrayList<>(open);
                twice.add(open.getFirst());
                assertThatExceptionOfType(PoolException.class)
                        .isThrownBy(() -> pool.registerBlocks(twice, chains.getFirst(), 0));
            }
        }

        private void compare() {
            oracle.assertValid(pool);
            PoolStats stats = pool.stats();
            assertThat(stats.free()).as("free").isEqualTo(model.count(SlotState.FREE));
            assertThat(stats.inactive()).as("inactive").isEqualTo(model.count(SlotState.INACTIVE));
            assertThat(stats.active()).as("active").isEqualTo(model.count(SlotState.ACTIVE));
            assertThat(stats.owned()).as("owned").isEqualTo(model.count(SlotState.OWNED));
            assertThat(stats.unlisted()).as("unlisted").isEqualTo(model.count(SlotState.UNLISTED));
            assertThat(stats.holders()).as("holders").isEqualTo(model.holders());
            assertThat(stats.allocations()).as("allocations").isEqualTo(model.allocations);
            assertThat(stats.evictions()).as("evictions").isEqualTo(model.evictions);
            assertThat(stats.registrations()).as("registrations").isEqualTo(model.registrations);
            assertThat(stats.registrationDedup()).as("duplicates").isEqualTo(model.duplicates);
            for (int slot = 0; slot < pool.totalBlocks(); slot++) {
                assertThat(pool.ledger.slots.state(slot)).as("slot %d", slot).isEqualTo(model.state(slot));
                assertThat(pool.ledger.slots.generation(slot)).as("slot %d", slot).isEqualTo(model.generation(slot));
            }
            assertThat(PoolSubject.freeSlots(pool)).as("free").isEqualTo(model.freeSlots());
            assertThat(events.take()).as("events").isEqualTo(model.events);
            model.events.clear();
        }

        void end() {
            last = "the end";
            handles().forEach(BlockHandle::close);
            pins.forEach(Pin::close);
            oracle.assertValid(pool);
            assertThat(pool.stats().holders()).isZero();
            assertThat(pool.stats().leaked()).isZero();
            pool.close();
            oracle.assertValid(pool);
            assertThat(pool.stats().free()).isEqualTo(pool.totalBlocks());
        }
    }
}
