package io.kvbm.remote;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.BoardWords;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.event.EventLog;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.IdentityChain;

import static io.kvbm.testing.RandomCase.cases;
import static io.kvbm.testing.RandomCase.random;
import static org.assertj.core.api.Assertions.assertThat;

@EnabledOnOs(OS.LINUX)
class PeerChecksumTest {

    private static final int BLOCKS = 8;
    private static final int WORDS = 16;
    private static final int IDENTITY_WORDS = 4;
    private static final int CHECKSUM = 5;
    private static final Duration LONG = Duration.ofSeconds(20);

    private final List<AutoCloseable> opened = new ArrayList<>();
    private final SharedPool owner = open(SharedPool.of(7, 1, BLOCKS, WORDS));
    private final IdentityChain chain = SharedPool.chain(1, BLOCKS);

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : opened.reversed()) {
            each.close();
        }
    }

    private <T extends AutoCloseable> T open(T each) {
        opened.add(each);
        return each;
    }

    private Reader reader(ChecksumMode mode) {
        return open(new Reader(owner.blockset(), mode, ReadStep.Watcher.NONE));
    }

    private EventLog.Subscription compute(ChecksumMode mode) {
        return owner.events.subscribe("checksums",
                new BlockChecksums(CacheLevel.G2, owner.memory, owner.board, mode));
    }

    private Reader.Known register(IdentityChain sequence) {
        try (BlockList<ImmutableBlock> registered = owner.register(sequence, 0, sequence.size())) {
            return Reader.known(registered, sequence, 0);
        }
    }

    /** Registers and waits until all checksums are there. */
    private Reader.Known registerChecked() throws InterruptedException {
        EventLog.Subscription subscription = compute(ChecksumMode.FULL);
        Reader.Known known = register(chain);
        assertThat(subscription.awaitDelivered(LONG)).isTrue();
        assertThat(subscription.failures()).isZero();
        return known;
    }

    private static ReadResult ends(int blocks, ReadOutcome end) {
        return new ReadResult(blocks, end);
    }

    private void flipData(int slot, int bit) {
        MemorySegment block = owner.memory.block(slot);
        byte old = block.get(ValueLayout.JAVA_BYTE, bit / 8);
        block.set(ValueLayout.JAVA_BYTE, bit / 8, (byte) (old ^ 1 << bit % 8));
    }

    private void flipEntry(int slot, int word, int bit) {
        BoardWords.set(owner.board, slot, word, BoardWords.get(owner.board, slot, word) ^ 1L << bit);
    }

    @Test
    void checksumsAreComputedBehindTheRegistration() throws InterruptedException {
        Reader.Known known = registerChecked();
        Reader reader = reader(ChecksumMode.FULL);
        assertThat(reader.read(known)).isEqualTo(ends(BLOCKS, ReadOutcome.TAKEN));
        assertThat(reader.wrong(known, BLOCKS)).isZero();
        owner.reuseAll();
        Reader.Known again = register(chain);
        assertThat(reader.read(known).end()).isEqualTo(ReadOutcome.STALE);
        assertThat(again.generations()).isNotEqualTo(known.generations());
    }

    @Test
    void blocksOfWhichTheEventsWereMissedAreCheckedAllTheSame() {
        owner.reuseAll();
        Reader.Known known = register(SharedPool.chain(1, BLOCKS - 2));
        new BlockChecksums(CacheLevel.G2, owner.memory, owner.board, ChecksumMode.FULL).onGap(0, 9);
        assertThat(reader(ChecksumMode.FULL).read(known)).isEqualTo(ends(BLOCKS - 2, ReadOutcome.TAKEN));
    }

    @Test
    void aBlockWithoutChecksumIsNotTakenWhereEachIsCompared() {
        Reader.Known known = register(chain);
        assertThat(reader(ChecksumMode.FULL).read(known)).isEqualTo(ends(0, ReadOutcome.UNCHECKED));
        assertThat(reader(ChecksumMode.SAMPLED).read(known)).isEqualTo(ends(BLOCKS, ReadOutcome.TAKEN));
        assertThat(reader(ChecksumMode.OFF).read(known)).isEqualTo(ends(BLOCKS, ReadOutcome.TAKEN));
    }

    @Test
    void theChecksumOfOtherContentOfTheSlotDoesNotCount() throws InterruptedException {
        Reader.Known known = registerChecked();
        long[] old = IntStream.range(0, BLOCKS).mapToLong(s -> BoardWords.get(owner.board, s, CHECKSUM)).toArray();
        owner.reuseAll();
        owner.events.close();
        Reader.Known later = register(SharedPool.chain(2, BLOCKS));
        for (int slot = 0; slot < BLOCKS; slot++) {
            BoardWords.set(owner.board, slot, CHECKSUM, old[slot]);
        }
        assertThat(reader(ChecksumMode.FULL).read(later)).isEqualTo(ends(0, ReadOutcome.UNCHECKED));
        assertThat(reader(ChecksumMode.FULL).read(known).end()).isEqualTo(ReadOutcome.STALE);
    }

    @Test
    void everyBitOfTheDataThatFlipsIsFound() throws InterruptedException {
        Reader.Known known = registerChecked();
        Reader reader = reader(ChecksumMode.FULL);
        for (int bit = 0; bit < WORDS * Long.SIZE; bit++) {
            int at = bit % BLOCKS;
            flipData(known.slots()[at], bit);
            assertThat(reader.read(known)).as("bit %d", bit).isEqualTo(ends(at, ReadOutcome.CORRUPT));
            flipData(known.slots()[at], bit);
        }
        assertThat(reader.read(known)).isEqualTo(ends(BLOCKS, ReadOutcome.TAKEN));
    }

    @Test
    void everyBitOfTheSideTableThatFlipsIsFoundOrOfNoUse() throws InterruptedException {
        Reader.Known known = registerChecked();
        Reader reader = reader(ChecksumMode.FULL);
        for (int word = 0; word < BoardWords.PER_SLOT; word++) {
            for (int bit = 0; bit < Long.SIZE; bit++) {
                int at = bit % BLOCKS;
                flipEntry(known.slots()[at], word, bit);
                ReadOutcome end = word == 0 ? ReadOutcome.STALE
                        : word <= IDENTITY_WORDS ? ReadOutcome.FOREIGN
                                : word > CHECKSUM ? ReadOutcome.TAKEN
                                        : bit < 32 ? ReadOutcome.CORRUPT : ReadOutcome.UNCHECKED;
                assertThat(reader.read(known)).as("word %d, bit %d", word, bit)
                        .isEqualTo(ends(end == ReadOutcome.TAKEN ? BLOCKS : at, end));
                flipEntry(known.slots()[at], word, bit);
            }
        }
        assertThat(reader.read(known)).isEqualTo(ends(BLOCKS, ReadOutcome.TAKEN));
    }

    @Test
    void anEntryThatComesBackAfterItsSlotWasReusedIsFound() throws InterruptedException {
        Reader.Known known = registerChecked();
        long[] words = IntStream.range(0, BLOCKS).mapToLong(s -> BoardWords.get(owner.board, s, 0)).toArray();
        owner.reuseAll();
        for (int slot = 0; slot < BLOCKS; slot++) {
            BoardWords.set(owner.board, slot, 0, words[slot]);
        }
        assertThat(reader(ChecksumMode.FULL).read(known)).isEqualTo(ends(0, ReadOutcome.CORRUPT));
    }

    @Test
    void noFlipBetweenAnyTwoStepsMakesWrongBytesBeTaken() throws InterruptedException {
        Reader.Known known = registerChecked();
        SplittableRandom random = new SplittableRandom(random("PeerChecksumTest.flips").nextLong());
        List<ReadStep> steps = List.of(ReadStep.values());
        int[][] flips = new int[3][];
        int[] planned = new int[2];
        Reader reader = open(new Reader(owner.blockset(), ChecksumMode.FULL, step -> {
            for (int i = 0; i < planned[0]; i++) {
                if (step == steps.get(flips[i][0])) {
                    flip(flips[i]);
                }
            }
        }));
        int reads = cases(25_000);
        int taken = 0;
        int[] flipped = new int[2];
        for (int read = 0; read < reads; read++) {
            planned[0] = 1 + random.nextInt(flips.length);
            for (int i = 0; i < planned[0]; i++) {
                flips[i] = new int[]{random.nextInt(steps.size()), random.nextInt(3),
                    known.slots()[random.nextInt(BLOCKS)], random.nextInt(BoardWords.PER_SLOT),
                    random.nextInt(WORDS * Long.SIZE)};
                flipped[flips[i][1] == 0 ? 1 : 0]++;
            }
            ReadResult result = reader.read(known);
            taken += result.blocks();
            assertThat(reader.wrong(known, result.blocks())).as("%s", result).isZero();
            for (int i = 0; i < planned[0]; i++) {
                flip(flips[i]);
            }
        }
        planned[0] = 0;
        assertThat(reader.read(known)).isEqualTo(ends(BLOCKS, ReadOutcome.TAKEN));
        System.out.println("PeerChecksumTest.flips: " + reads + " reads, " + flipped[0] + " flips in the data, "
                + flipped[1] + " in the side table, " + taken + " blocks taken, 0 wrong");
        assertThat(taken).isBetween(reads, BLOCKS * reads - reads);
    }

    private void flip(int[] flip) {
        if (flip[1] == 0) {
            flipEntry(flip[2], flip[3], flip[4] % Long.SIZE);
        } else {
            flipData(flip[2], flip[4]);
        }
    }

    @Test
    void aSampleOfTheBlocksIsComparedUnlessAllOrNoneAre() throws InterruptedException {
        SharedPool many = open(SharedPool.of(8, 1, 2048, WORDS));
        EventLog.Subscription subscription = many.events.subscribe("checksums",
                new BlockChecksums(CacheLevel.G2, many.memory, many.board, ChecksumMode.SAMPLED));
        IdentityChain long1 = SharedPool.chain(3, 2048);
        Reader.Known known;
        try (BlockList<ImmutableBlock> registered = many.register(long1, 0, 2048)) {
            known = Reader.known(registered, long1, 0);
        }
        assertThat(subscription.awaitDelivered(LONG)).isTrue();
        Reader sampled = open(new Reader(many.blockset(), ChecksumMode.SAMPLED, ReadStep.Watcher.NONE));
        Reader unchecked = open(new Reader(many.blockset(), ChecksumMode.OFF, ReadStep.Watcher.NONE));
        assertThat(sampled.read(known)).isEqualTo(ends(2048, ReadOutcome.TAKEN));
        int corrupt = 0;
        for (int i = 0; i < 2048; i++) {
            int slot = known.slots()[i];
            boolean checked = BoardWords.get(many.board, slot, CHECKSUM) != 0;
            MemorySegment block = many.memory.block(slot);
            block.set(ValueLayout.JAVA_BYTE, 5, (byte) ~block.get(ValueLayout.JAVA_BYTE, 5));
            Reader.Known one = new Reader.Known(new int[]{slot}, new long[]{known.generations()[i]}, long1, i);
            assertThat(sampled.read(one).end()).isEqualTo(checked ? ReadOutcome.CORRUPT : ReadOutcome.TAKEN);
            assertThat(unchecked.read(one).end()).isEqualTo(ReadOutcome.TAKEN);
            corrupt += checked ? 1 : 0;
        }
        assertThat(corrupt).isBetween(16, 64);
    }

    @Test
    void everyGenerationOfASlotIsSampledAsOften() {
        int due = 0;
        for (int slot = 0; slot < 64; slot++) {
            int ofSlot = 0;
            for (long generation = 0; generation < 4096; generation++) {
                ofSlot += ChecksumMode.SAMPLED.isDue(slot, generation) ? 1 : 0;
            }
            assertThat(ofSlot).as("slot %d", slot).isBetween(16, 256);
            due += ofSlot;
        }
        assertThat(due).isBetween(3000, 5200);
    }

    @Test
    void contentThatGoesWhileItsChecksumIsComputedGetsNone() throws InterruptedException {
        EventLog.Subscription subscription = compute(ChecksumMode.FULL);
        SplittableRandom random = new SplittableRandom(random("PeerChecksumTest.reuse").nextLong());
        Reader reader = reader(ChecksumMode.FULL);
        int taken = 0;
        for (int round = 0; round < cases(3000); round++) {
            IdentityChain some = SharedPool.chain(random.nextInt(100), 1 + random.nextInt(BLOCKS));
            Reader.Known known = register(some);
            for (int reads = random.nextInt(20); reads > 0; reads--) {
                ReadResult result = reader.read(known);
                assertThat(result.end()).isIn(ReadOutcome.TAKEN, ReadOutcome.UNCHECKED);
                assertThat(reader.wrong(known, result.blocks())).isZero();
                taken += result.blocks();
            }
            if (round % 100 == 0) {
                assertThat(subscription.awaitDelivered(LONG)).isTrue();
                assertThat(reader.read(known)).isEqualTo(ends(some.size(), ReadOutcome.TAKEN));
            }
        }
        assertThat(taken).isPositive();
        assertThat(subscription.awaitDelivered(LONG)).isTrue();
        assertThat(subscription.failures()).isZero();
    }

    @ParameterizedTest
    @EnumSource(value = ChecksumMode.class, names = {"SAMPLED", "FULL"})
    void checksumsOfAPoolThatWasClosedAreNotComputed(ChecksumMode mode) throws InterruptedException {
        for (int round = 0; round < 50; round++) {
            SharedPool closing = SharedPool.of(8, 1, 64, 512);
            EventLog.Subscription subscription = closing.events.subscribe("checksums",
                    new BlockChecksums(CacheLevel.G2, closing.memory, closing.board, mode));
            IdentityChain some = SharedPool.chain(3, 64);
            closing.register(some, 0, 64).close();
            closing.close();
            assertThat(subscription.awaitDelivered(LONG)).isTrue();
            assertThat(subscription.failures()).isZero();
        }
    }
}
