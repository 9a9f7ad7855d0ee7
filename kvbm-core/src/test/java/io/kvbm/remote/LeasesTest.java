package io.kvbm.remote;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

import io.kvbm.block.BlockList;
import io.kvbm.block.ImmutableBlock;
import io.kvbm.block.MutableBlock;
import io.kvbm.error.DescriptorException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.pool.BlockPool;
import io.kvbm.token.IdentityChain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

@EnabledOnOs(OS.LINUX)
class LeasesTest {

    private static final int BLOCKS = 16;
    private static final int SET = SharedPool.SET;
    private static final long WORKER = -8; // unsigned
    private static final long OTHER = 9;
    private static final Duration TIME = Duration.ofSeconds(10);
    private static final Duration LONGEST = Duration.ofSeconds(60);
    private static final Duration NANO = Duration.ofNanos(1);

    /** Three leases and eight blocks per worker; twelve blocks may be read at once, and four be in quarantine. */
    private static final LeaseLimits LIMITS = new LeaseLimits(3, 8, LONGEST, 75, 25);

    private final ManualClock clock = new ManualClock();
    private final SharedPool owner = SharedPool.of(1, 1, BLOCKS, 4);
    private final BlockPool pool = owner.pool;
    private final Leases leases = new Leases(LIMITS, clock, 100);
    private long loan = 1;

    @AfterEach
    void nothingStaysPinned() {
        leases.close();
        assertThat(pool.stats().holders()).isZero();
        owner.close();
    }

    /** Registers the blocks of a sequence, which nobody holds afterwards. */
    private Reader.Known registered(int seed, int blocks) {
        IdentityChain chain = SharedPool.chain(seed, blocks);
        try (BlockList<ImmutableBlock> registered = owner.register(chain, 0, blocks)) {
            return Reader.known(registered, chain, 0);
        }
    }

    private PeerAnswer.Leased read(long worker, Reader.Known known) {
        return leases.read(worker, pool, known.slots(), known.generations(), new long[0], TIME);
    }

    /** Leases so many blocks of which no handle is kept. */
    private WriteLease write(long worker, Writer kind, int blocks) {
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(blocks)) {
            return leases.write(pool, mine, worker, kind, TIME);
        }
    }

    private static int[] slots(WriteLease lease) {
        return IntStream.range(0, lease.blocks().size()).map(lease.blocks()::index).toArray();
    }

    /** Begins a copy of blocks that are lent for it alone. */
    private Leases.Pull pull(long writer, long lease, int set, int[] slots) {
        return leases.pull(wanted(writer, lease, set, slots, loan++));
    }

    private static PeerRequest.Pull wanted(long writer, long lease, int set, int[] slots, long loan) {
        long[] loans = new long[slots.length];
        Arrays.fill(loans, loan);
        return new PeerRequest.Pull(writer, 1, 2, SET, new int[slots.length], loans, lease, set, slots, "");
    }

    private int held() {
        return BLOCKS - pool.availableBlocks();
    }

    private void expire() {
        clock.pass(TIME);
        leases.advance();
    }

    // ---------------------------------------------------------------------------------------------- read

    @Test
    void theFirstBlocksThatStillHaveTheirContentAreHeld() {
        Reader.Known known = registered(1, 4);
        int[] checksums = checksums(Arrays.copyOf(known.slots(), 2));
        known.generations()[2]++;
        PeerAnswer.Leased leased = read(WORKER, known);
        assertThat(leased.lease()).isEqualTo(100);
        assertThat(leased.checksums()).isEqualTo(checksums);
        assertThat(leased.time()).isEqualTo(TIME);
        assertThat(held()).isEqualTo(2);
        owner.reuseAll();
        try (BlockList<ImmutableBlock> still = pool.holdSlots(known.slots(), known.generations())) {
            assertThat(still).hasSize(2);
        }
    }

    /** Of what the slots hold now. */
    private int[] checksums(int[] slots) {
        return IntStream.of(slots).map(slot -> {
            CRC32C crc = new CRC32C();
            crc.update(owner.memory.block(slot).asByteBuffer());
            return (int) crc.getValue();
        }).toArray();
    }

    @Test
    void contentIsLeasedAgainWithTheSameChecksumsAndOtherContentOfTheSameSlotsWithItsOwn() {
        Reader.Known known = registered(1, 4);
        int[] first = read(WORKER, known).checksums();
        assertThat(read(OTHER, known).checksums()).isEqualTo(first).isEqualTo(checksums(known.slots()));
        expire();
        Reader.Known all = registered(2, BLOCKS);
        Reader.Known again = new Reader.Known(Arrays.copyOf(all.slots(), 8), Arrays.copyOf(all.generations(), 8),
                all.chain(), 0);
        assertThat(read(WORKER, again).checksums()).isEqualTo(checksums(again.slots()));
        expire();
        int[] rest = Arrays.copyOfRange(all.slots(), 8, BLOCKS);
        Reader.Known others = new Reader.Known(rest, Arrays.copyOfRange(all.generations(), 8, BLOCKS), all.chain(), 8);
        assertThat(read(WORKER, others).checksums()).isEqualTo(checksums(rest));
    }

    @Test
    void whereNoBlockIsHeldThereIsNoLease() {
        Reader.Known known = registered(1, 2);
        owner.reuseAll();
        PeerAnswer.Leased leased = read(WORKER, known);
        assertThat(leased.lease()).isZero();
        assertThat(leased.checksums()).isEmpty();
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 0, 0, 0));
    }

    @Test
    void aLeaseToReadEndsWithItsTimeAndItsBlocksAreFreeAtOnce() {
        PeerAnswer.Leased leased = read(WORKER, registered(1, 3));
        clock.pass(TIME.minus(NANO));
        leases.advance();
        assertThat(held()).isEqualTo(3);
        clock.pass(NANO);
        leases.advance();
        assertThat(held()).isZero();
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 0, 1, 0));
        leases.end(WORKER, leased.lease());
        assertThat(leases.stats().expired()).isOne();
    }

    @Test
    void aReaderThatHasDoneEndsItsLeaseEarly() {
        PeerAnswer.Leased leased = read(WORKER, registered(1, 3));
        assertThat(leases.stats()).isEqualTo(new LeaseStats(1, 0, 0, 0, 0));
        leases.end(WORKER, leased.lease());
        assertThat(held()).isZero();
        expire();
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 0, 0, 0));
    }

    @Test
    void blocksThatAreLeasedTwiceStayUntilBothLeasesAreOver() {
        Reader.Known known = registered(1, 3);
        PeerAnswer.Leased first = read(WORKER, known);
        PeerAnswer.Leased second = read(OTHER, known);
        leases.end(WORKER, first.lease());
        assertThat(held()).isEqualTo(3);
        leases.end(OTHER, second.lease());
        assertThat(held()).isZero();
    }

    @Test
    void noLeaseLastsLongerThanTheLimit() {
        Reader.Known known = registered(1, 1);
        Duration time = LONGEST.plus(NANO);
        assertThat(leases.read(WORKER, pool, known.slots(), known.generations(), new long[0], time).time())
                .isEqualTo(LONGEST);
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(1)) {
            leases.write(pool, mine, WORKER, Writer.ASKS, time);
        }
        clock.pass(LONGEST);
        leases.advance();
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 0, 2, 0));
    }

    // ---------------------------------------------------------------------------------------------- write

    @ParameterizedTest
    @EnumSource(Writer.class)
    void whatIsLeasedToBeWrittenIsNamed(Writer kind) {
        try (BlockList<MutableBlock> mine = pool.allocateBlocks(2)) {
            WriteLease lease = leases.write(pool, mine, WORKER, kind, TIME);
            assertThat(lease.number()).isEqualTo(100);
            assertThat(lease.writer()).isEqualTo(WORKER);
            assertThat(lease.kind()).isEqualTo(kind);
            assertThat(slots(lease)).containsExactly(mine.get(0).index(), mine.get(1).index());
        }
        assertThat(held()).isEqualTo(2);
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 1, 0, 0, 0));
    }

    @Test
    void aLeaseToAWriterThatAsksEndsWithItsTimeWhereNoCopyRuns() {
        write(WORKER, Writer.ASKS, 2);
        expire();
        assertThat(held()).isZero();
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 0, 1, 0));
    }

    @Test
    void aCopyThatRunsWhenTheTimeIsOverKeepsTheBlocksUntilItEnds() {
        int[] slots = slots(write(WORKER, Writer.ASKS, 3));
        try (Leases.Pull first = pull(WORKER, 0, SET, new int[]{slots[0]})) {
            try (Leases.Pull second = pull(WORKER, 0, SET, new int[]{slots[1], slots[2]})) {
                expire();
                leases.advance();
                assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 1, 0, 1, 0));
                Refused.with(Kind.NOT_MUTABLE, () -> pull(WORKER, 0, SET, slots));
                assertThat(second.pins()).hasSize(2);
            }
            assertThat(first.pins()).hasSize(1);
            assertThat(held()).isEqualTo(3);
        }
        assertThat(held()).isZero();
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 0, 1, 0));
    }

    @Test
    void whileABlockIsFilledNoOtherCopyIntoItBegins() {
        int[] slots = slots(write(WORKER, Writer.ASKS, 3));
        int[] first = {slots[0], slots[1]};
        int[] second = {slots[1], slots[2]};
        try (Leases.Pull _ = pull(WORKER, 0, SET, first)) {
            Refused.with(Kind.BUSY, () -> pull(WORKER, 0, SET, second));
            pull(WORKER, 0, SET, new int[]{slots[2]}).close();
        }
        try (Leases.Pull again = pull(WORKER, 0, SET, second)) {
            assertThat(again.pins()).hasSize(2);
        }
    }

    @Test
    void whatHasArrivedIsNotCopiedOnceMoreWhereTheSameRequestComesAgain() {
        WriteLease lease = write(WORKER, Writer.ASKS, 2);
        PeerRequest.Pull wanted = wanted(WORKER, lease.number(), SET, slots(lease), 7);
        try (Leases.Pull failed = leases.pull(wanted)) {
            assertThat(failed.pins()).hasSize(2);
        }
        try (Leases.Pull pull = leases.pull(wanted)) {
            assertThat(pull.pins()).as("nothing has arrived").hasSize(2);
            pull.arrived();
        }
        try (Leases.Pull again = leases.pull(wanted)) {
            assertThat(again.pins()).isEmpty();
        }
        try (Leases.Pull other = leases.pull(wanted(WORKER, lease.number(), SET, slots(lease), 8))) {
            assertThat(other.pins()).as("other bytes").hasSize(2);
        }
        try (Leases.Pull again = leases.pull(wanted)) {
            assertThat(again.pins()).as("what has arrived was written over since").hasSize(2);
        }
    }

    @Test
    void noCopyBeginsAfterTheTimeThoughNobodyHasLookedAtTheClockSince() {
        WriteLease lease = write(WORKER, Writer.ASKS, 2);
        clock.pass(TIME.minus(NANO));
        pull(WORKER, 0, SET, slots(lease)).close();
        clock.pass(NANO);
        Refused.with(Kind.NOT_MUTABLE, () -> pull(WORKER, 0, SET, slots(lease)));
    }

    @Test
    void aCopyGoesIntoTheLeasedBlocksInTheOrderInWhichTheyAreNamed() {
        write(WORKER, Writer.ASKS, 2);
        int[] slots = slots(write(WORKER, Writer.ASKS, 3));
        int[] asked = {slots[2], slots[0]};
        try (Leases.Pull pull = pull(WORKER, 0, SET, asked)) {
            assertThat(pull.pins()).extracting(pin -> pin.id().index()).containsExactly(slots[2], slots[0]);
        }
    }

    @Test
    void aPutThatStillMeansALeaseThatIsOverDoesNotGoIntoALaterOneOfTheSameBlocks() {
        try (BlockList<MutableBlock> _ = pool.allocateBlocks(BLOCKS - 2)) {
            WriteLease first = write(WORKER, Writer.ASKS, 2);
            leases.end(WORKER, first.number());
            WriteLease second = write(WORKER, Writer.ASKS, 2);
            assertThat(slots(second)).containsExactlyInAnyOrder(slots(first));
            Refused.with(Kind.NOT_MUTABLE, () -> pull(WORKER, first.number(), SET, slots(first)));
            pull(WORKER, second.number(), SET, slots(first)).close();
            pull(WORKER, 0, SET, slots(first)).close();
        }
    }

    @Test
    void blocksOfAnotherPoolAreNotLeased() {
        try (SharedPool other = SharedPool.of(8, 1, 4, 16);
                BlockList<MutableBlock> theirs = other.pool.allocateBlocks(1)) {
            assertThatExceptionOfType(IllegalArgumentException.class)
                    .isThrownBy(() -> leases.write(pool, theirs, WORKER, Writer.ASKS, TIME))
                    .withMessageContaining("lease blocks of the pool that they are of");
        }
    }

    @Test
    void whatIsNotLeasedToTheWriterIsNotWritten() {
        int[] first = slots(write(WORKER, Writer.ASKS, 2));
        int[] second = slots(write(WORKER, Writer.ASKS, 2));
        int free = BLOCKS - 1;
        Refused.with(Kind.NOT_MUTABLE, () -> pull(OTHER, 0, SET, first));
        Refused.with(Kind.NOT_MUTABLE, () -> pull(WORKER, 0, SET + 1, first));
        for (int[] slots : List.of(new int[]{first[0], free}, new int[]{first[0], first[0]},
                new int[]{first[0], second[0]}, new int[]{Integer.MAX_VALUE})) {
            Refused.with(Kind.NOT_MUTABLE, () -> pull(WORKER, 0, SET, slots));
        }
        Reader.Known known = registered(1, 1);
        read(WORKER, known);
        Refused.with(Kind.NOT_MUTABLE, () -> pull(WORKER, 0, SET, known.slots()));
    }

    // ---------------------------------------------------------------------------------------------- write from outside

    private void begin(long writer, long number, long lease, int... slots) {
        leases.beginWrite(pool, new PeerRequest.BeginWrite(writer, 2, number, lease, SET, slots));
    }

    @Test
    void whatAWriterWritesByItselfIsFilledByNobodyElseUntilItHasDone() {
        WriteLease lease = write(WORKER, Writer.ASKS, 3);
        int[] slots = slots(lease);
        begin(WORKER, 1, lease.number(), slots[0], slots[1]);
        begin(WORKER, 1, lease.number(), slots[0], slots[1]);
        Refused.with(Kind.BUSY, () -> begin(WORKER, 2, 0, slots[1], slots[2]));
        Refused.with(Kind.BUSY, () -> pull(WORKER, 0, SET, slots));
        begin(WORKER, 2, 0, slots[2]);
        assertThat(leases.endWrite(OTHER, 1)).isFalse();
        assertThat(leases.endWrite(WORKER, 1)).isTrue();
        assertThat(leases.endWrite(WORKER, 1)).isFalse();
        begin(WORKER, 3, 0, slots[0], slots[1]);
        assertThat(leases.endWrite(WORKER, 2)).isTrue();
        assertThat(leases.endWrite(WORKER, 3)).isTrue();
        expire();
        assertThat(held()).isZero();
    }

    @Test
    void aWriteThatHasEndedDoesNotBeginWhereThatComesLate() {
        WriteLease lease = write(WORKER, Writer.ASKS, 1);
        assertThat(leases.endWrite(WORKER, 1)).isFalse();
        Refused.with(Kind.NOT_MUTABLE, () -> begin(WORKER, 1, lease.number(), slots(lease)));
        begin(WORKER, 2, lease.number(), slots(lease));
    }

    @Test
    void blocksThatAreBeingWrittenWhenTheTimeIsOverStayUntilTheWriterHasDone() {
        WriteLease lease = write(WORKER, Writer.ASKS, 3);
        begin(WORKER, 1, 0, slots(lease));
        expire();
        assertThat(held()).isEqualTo(3);
        assertThat(leases.stats().quarantined()).isEqualTo(3);
        Refused.with(Kind.NOT_MUTABLE, () -> begin(WORKER, 2, lease.number(), slots(lease)));
        assertThat(leases.endWrite(WORKER, 1)).isTrue();
        assertThat(held()).isZero();
    }

    @Test
    void whatWasBeingWrittenUnderALeaseThatIsEndedIsFreeForTheNextOne() {
        try (BlockList<MutableBlock> _ = pool.allocateBlocks(BLOCKS - 2)) {
            WriteLease lease = write(WORKER, Writer.ASKS, 2);
            begin(WORKER, 1, 0, slots(lease));
            leases.end(WORKER, lease.number());
            WriteLease next = write(WORKER, Writer.ASKS, 2);
            begin(WORKER, 2, next.number(), slots(next));
            assertThat(leases.endWrite(WORKER, 1)).isFalse();
            Refused.with(Kind.BUSY, () -> pull(WORKER, 0, SET, slots(next)));
        }
    }

    @Test
    void whereTooMuchIsInQuarantineNothingMoreIsWrittenFromTheOutside() {
        WriteLease lost = write(WORKER, Writer.ASKS, 4);
        begin(WORKER, 1, 0, slots(lost));
        expire();
        WriteLease next = write(OTHER, Writer.ASKS, 1);
        Refused.with(Kind.BUSY, () -> begin(OTHER, 1, 0, slots(next)));
        pull(OTHER, 0, SET, slots(next)).close();
        leases.gone(WORKER);
        begin(OTHER, 1, 0, slots(next));
    }

    /** What tells that a writer writes no more. */
    static Stream<BiConsumer<Leases, WriteLease>> ends() {
        return Stream.of((leases, lease) -> leases.end(WORKER, lease.number()), (leases, _) -> leases.gone(WORKER),
                (leases, _) -> leases.close());
    }

    @ParameterizedTest
    @MethodSource("ends")
    void blocksOfAWriterThatWritesByItselfAreNeverFreedByTime(BiConsumer<Leases, WriteLease> end) {
        WriteLease lease = write(WORKER, Writer.WRITES, 3);
        for (int day = 0; day < 1000; day++) {
            clock.pass(Duration.ofDays(1));
            leases.advance();
        }
        leases.revoke(lease);
        leases.end(OTHER, lease.number());
        leases.gone(OTHER);
        assertThat(held()).isEqualTo(3);
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 3, 1, 0));
        end.accept(leases, lease);
        assertThat(held()).isZero();
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 0, 1, 0));
    }

    @ParameterizedTest
    @MethodSource("ends")
    void aWriterThatHasDoneInTimeIsNeverInQuarantine(BiConsumer<Leases, WriteLease> end) {
        WriteLease lease = write(WORKER, Writer.WRITES, 3);
        end.accept(leases, lease);
        assertThat(held()).isZero();
        expire();
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 0, 0, 0, 0));
    }

    @ParameterizedTest
    @MethodSource("ends")
    void blocksThatThisWorkerIsStillCopyingIntoStayWhateverIsSaidOfTheWriter(BiConsumer<Leases, WriteLease> end) {
        WriteLease lease = write(WORKER, Writer.ASKS, 2);
        try (Leases.Pull pull = pull(WORKER, 0, SET, slots(lease))) {
            end.accept(leases, lease);
            assertThat(pull.pins()).hasSize(2);
            assertThat(held()).isEqualTo(2);
        }
        assertThat(held()).isZero();
    }

    @Test
    void whileTooMuchIsInQuarantineNobodyElseMayWriteByItself() {
        write(WORKER, Writer.WRITES, 3);
        expire();
        WriteLease second = write(WORKER, Writer.WRITES, 1);
        expire();
        assertThat(leases.stats().quarantined()).isEqualTo(4);
        Refused.with(Kind.BUSY, () -> write(OTHER, Writer.WRITES, 1));
        assertThat(leases.stats().refused()).isOne();
        assertThat(held()).isEqualTo(4);
        write(OTHER, Writer.ASKS, 1);
        leases.end(WORKER, second.number());
        write(OTHER, Writer.WRITES, 1);
    }

    @Test
    void ofASmallPoolOneBlockMayBeInQuarantine() {
        try (Leases strict = new Leases(new LeaseLimits(9, 9, LONGEST, 1, 1), clock, 1);
                BlockList<MutableBlock> mine = pool.allocateBlocks(2)) {
            WriteLease lease = strict.write(pool, mine.subList(0, 1), WORKER, Writer.WRITES, TIME);
            strict.revoke(lease);
            Refused.with(Kind.BUSY, () -> strict.write(pool, mine.subList(1, 2), WORKER, Writer.WRITES, TIME));
        }
    }

    @Test
    void anOwnerThatWantsItsBlocksBackHasThemAtOnceWhereItCopiesItself() {
        WriteLease idle = write(WORKER, Writer.ASKS, 2);
        WriteLease copying = write(WORKER, Writer.ASKS, 2);
        WriteLease writing = write(WORKER, Writer.WRITES, 2);
        try (Leases.Pull _ = pull(WORKER, 0, SET, slots(copying))) {
            for (WriteLease lease : List.of(idle, copying, writing, idle)) {
                leases.revoke(lease);
                Refused.with(Kind.NOT_MUTABLE, () -> pull(WORKER, 0, SET, slots(lease)));
            }
            assertThat(held()).isEqualTo(4);
        }
        assertThat(held()).isEqualTo(2);
        expire();
        assertThat(leases.stats()).as("what was revoked does not expire").isEqualTo(new LeaseStats(0, 0, 2, 0, 0));
    }

    @Test
    void onlyWhoHasALeaseEndsIt() {
        PeerAnswer.Leased read = read(WORKER, registered(1, 1));
        WriteLease asks = write(WORKER, Writer.ASKS, 1);
        WriteLease writes = write(WORKER, Writer.WRITES, 1);
        for (long number : new long[]{read.lease(), asks.number(), writes.number(), 0, 99, 103}) {
            leases.end(OTHER, number);
        }
        assertThat(held()).isEqualTo(3);
        assertThat(leases.stats()).isEqualTo(new LeaseStats(1, 2, 0, 0, 0));
    }

    @Test
    void aWorkerThatIsGoneHasNoLeaseAndOthersKeepTheirs() {
        read(WORKER, registered(1, 1));
        write(WORKER, Writer.ASKS, 1);
        write(WORKER, Writer.WRITES, 1);
        write(OTHER, Writer.WRITES, 2);
        leases.gone(WORKER);
        assertThat(leases.stats()).isEqualTo(new LeaseStats(0, 1, 0, 0, 0));
        assertThat(held()).isEqualTo(2);
    }

    @Test
    void blocksOfTwoPoolsAreNotLeasedTogether() {
        try (SharedPool second = SharedPool.of(2, 1, 1, 4);
                BlockList<MutableBlock> mine = pool.allocateBlocks(1);
                BlockList<MutableBlock> theirs = second.pool.allocateBlocks(1)) {
            List<MutableBlock> both = List.of(mine.getFirst(), theirs.getFirst());
            assertThatExceptionOfType(DescriptorException.class)
                    .isThrownBy(() -> leases.write(pool, both, WORKER, Writer.ASKS, TIME));
            assertThat(pool.stats().holders() + second.pool.stats().holders()).isEqualTo(2);
        }
    }

    // ---------------------------------------------------------------------------------------------- limits

    @Test
    void aWorkerHasSoManyLeasesAtOnce() {
        Reader.Known known = registered(1, 1);
        WriteLease quarantined = write(WORKER, Writer.WRITES, 1);
        leases.revoke(quarantined);
        read(WORKER, known);
        write(WORKER, Writer.ASKS, 1);
        int held = held();
        Refused.with(Kind.BUSY, () -> read(WORKER, known));
        Refused.with(Kind.BUSY, () -> write(WORKER, Writer.ASKS, 1));
        assertThat(held()).isEqualTo(held);
        assertThat(leases.stats().refused()).isEqualTo(2);
        read(OTHER, known);
        leases.end(WORKER, quarantined.number());
        read(WORKER, known);
    }

    @Test
    void partOfAPoolIsNeverLeasedToBeRead() {
        Reader.Known known = registered(1, 7);
        read(WORKER, known);
        PeerAnswer.Leased second = read(OTHER, known);
        assertThat(second.checksums()).as("of twelve blocks seven are leased").hasSize(5);
        Refused.with(Kind.BUSY, () -> read(3, known));
        assertThat(leases.stats().refused()).isOne();
        leases.end(OTHER, second.lease());
        read(3, known);
    }

    @Test
    void aWorkerHasSoManyBlocksAtOnce() {
        Reader.Known known = registered(1, 5);
        read(WORKER, known);
        write(WORKER, Writer.ASKS, 3);
        Reader.Known one = registered(2, 1);
        int held = held();
        Refused.with(Kind.BUSY, () -> read(WORKER, one));
        Refused.with(Kind.BUSY, () -> write(WORKER, Writer.ASKS, 1));
        assertThat(held()).isEqualTo(held);
        read(OTHER, known);
    }

    @Test
    void aWorkerThatLeavesLeasesNothingMoreAndKeepsWhatItHolds() {
        Reader.Known known = registered(1, 2);
        PeerAnswer.Leased leased = read(WORKER, known);
        WriteLease lease = write(WORKER, Writer.ASKS, 1);
        leases.drain();
        Refused.with(Kind.DRAINING, () -> read(OTHER, known));
        Refused.with(Kind.DRAINING, () -> write(OTHER, Writer.ASKS, 1));
        pull(WORKER, 0, SET, slots(lease)).close();
        assertThat(held()).isEqualTo(3);
        leases.end(WORKER, leased.lease());
        leases.end(WORKER, lease.number());
        assertThat(held()).isZero();
        assertThat(leases.stats().refused()).as("not because too much is leased").isZero();
    }

    @Test
    void afterTheEndNothingIsLeased() {
        Reader.Known known = registered(1, 2);
        leases.close();
        Refused.with(Kind.DRAINING, () -> read(OTHER, known));
        assertThat(held()).isZero();
    }

    @Test
    void numbersAreNeverZeroAndNeverComeBack() {
        Reader.Known known = registered(1, 1);
        try (Leases wrapping = new Leases(LIMITS, clock, -2)) {
            for (long expected : new long[]{-2, -1, 1, 2, 3}) {
                long number = wrapping.read(WORKER, pool, known.slots(), known.generations(), new long[0], TIME)
                        .lease();
                assertThat(number).isEqualTo(expected);
                wrapping.end(WORKER, number);
            }
        }
    }
}
