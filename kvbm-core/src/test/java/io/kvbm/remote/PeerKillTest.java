package io.kvbm.remote;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import io.kvbm.block.SlotBoardView;
import io.kvbm.testing.JavaProcess;
import io.kvbm.testing.ProcessTable;
import io.kvbm.token.IdentityChain;

import static io.kvbm.testing.RandomCase.cases;
import static io.kvbm.testing.RandomCase.random;
import static org.assertj.core.api.Assertions.assertThat;

/** Reads from owners in processes of their own, which are killed while they are read. */
@EnabledOnOs(OS.LINUX)
class PeerKillTest {

    private static final int AHEAD = 2;
    private static final int[] WORDS = {16, 512, 8192};
    private static final List<ReadStep> STEPS = List.of(ReadStep.values());

    private final SplittableRandom random = new SplittableRandom(random("PeerKillTest").nextLong());
    private int reads;
    private int taken;
    private int wrong;
    private int torn;
    private int afterDeath;
    private int takenAfterDeath;
    private int killedInRead;

    @Test
    void ownersThatAreKilledWhileTheyAreReadLeaveRightBytesAndNothingElse() throws Exception {
        long mapped = ProcessTable.mappings();
        long open = ProcessTable.descriptors();
        Deque<OwnerProcess> started = new ArrayDeque<>();
        int kills = cases(50);
        try {
            for (int kill = 0; kill < kills; kill++) {
                while (started.size() < Math.min(AHEAD + 1, kills - kill)) {
                    int number = kill + started.size();
                    started.add(OwnerProcess.start(random.nextLong(), 100 + number, WORDS[number % WORDS.length]));
                }
                try (OwnerProcess owner = started.remove()) {
                    readUntilKilled(owner);
                }
            }
        } finally {
            started.forEach(OwnerProcess::close);
        }
        String found = kills + " owners killed, " + killedInRead + " between two steps of a read; " + reads + " reads, "
                + taken + " blocks taken, " + wrong + " wrong, " + torn + " reads torn; after death " + afterDeath
                + " reads, " + takenAfterDeath + " blocks taken";
        System.out.println("PeerKillTest: " + found);
        assertThat(wrong).as(found).isZero();
        assertThat(taken).as(found).isGreaterThan(kills * 100);
        assertThat(takenAfterDeath).as(found).isGreaterThan(kills * 10);
        assertThat(killedInRead).as(found).isGreaterThan(kills / 5);
        assertThat(ProcessTable.mappings()).as("mappings").isEqualTo(mapped);
        assertThat(ProcessTable.descriptors()).as("open files").isEqualTo(open);
    }

    private void readUntilKilled(OwnerProcess owner) throws IOException, InterruptedException {
        Blockset blockset = owner.blockset();
        boolean[] armed = new boolean[1];
        ReadStep when = STEPS.get(random.nextInt(STEPS.size()));
        boolean between = random.nextBoolean();
        ReadStep.Watcher watcher = step -> {
            if (random.nextInt(10) == 0) {
                for (int i = random.nextInt(3000); i > 0; i--) {
                    Thread.onSpinWait();
                }
            }
            if (armed[0] && step == when) {
                armed[0] = false;
                owner.kill();
                if (between) {
                    killedInRead++;
                    awaitEnd(owner);
                }
            }
        };
        try (Reader reader = new Reader(blockset, ChecksumMode.SAMPLED, watcher)) {
            owner.go();
            int goal = taken + 1 + random.nextInt(2000);
            while (taken < goal) {
                read(reader);
                assertThat(owner.isAlive()).as("the owner lives until it is killed").isTrue();
            }
            armed[0] = true;
            while (owner.isAlive()) {
                read(reader);
            }
            assertThat(owner.awaitEnd()).isEqualTo(JavaProcess.KILLED);
            int before = reads;
            int takenBefore = taken;
            for (int i = 0; i < 50; i++) {
                read(reader);
            }
            readWhatIsLeft(reader);
            afterDeath += reads - before;
            takenAfterDeath += taken - takenBefore;
        }
        assertThat(PeerMemory.sameHost(ChecksumMode.SAMPLED).open(blockset)).as("a dead owner's memory").isEmpty();
    }

    private static void awaitEnd(OwnerProcess owner) {
        try {
            assertThat(owner.awaitEnd()).isEqualTo(JavaProcess.KILLED);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Reads up to eight slots by their generations, or one by its identity. */
    private void read(Reader reader) {
        SlotBoardView board = reader.level.board();
        int n = 1 + random.nextInt(8);
        int[] slots = new int[n];
        long[] generations = new long[n];
        long[] identities = new long[n];
        for (int i = 0, tries = 0; i < n; tries++) {
            if (tries == 1000) {
                return;
            }
            slots[i] = random.nextInt(BoardOwner.BLOCKS);
            generations[i] = board.registeredGeneration(slots[i]);
            Optional<Reader.Known> known = known(board, slots[i], generations[i]);
            if (known.isPresent()) {
                identities[i] = known.get().identity(0);
                i++;
            }
        }
        reads++;
        ReadResult result = reader.read(new Wanted.Generations(slots, generations));
        torn += result.end() == ReadOutcome.TORN ? 1 : 0;
        taken += result.blocks();
        for (int i = 0; i < result.blocks(); i++) {
            wrong += SharedPool.holds(reader.blocks.get(i), identities[i]) ? 0 : 1;
        }
    }

    /** Nobody changes the board any more: what it says is registered is read, and nothing else. */
    private void readWhatIsLeft(Reader reader) {
        SlotBoardView board = reader.level.board();
        for (int slot = 0; slot < BoardOwner.BLOCKS; slot++) {
            long generation = board.registeredGeneration(slot);
            Optional<Reader.Known> known = known(board, slot, generation);
            assertThat(known.isPresent()).as("slot %d of generation %d", slot, generation).isEqualTo(generation >= 0);
            if (known.isPresent()) {
                reads++;
                taken++;
                assertThat(reader.read(known.get())).isEqualTo(new ReadResult(1, ReadOutcome.TAKEN));
                wrong += reader.wrong(known.get(), 1);
            }
        }
    }

    /** Which of the owner's blocks lies in a slot. */
    private static Optional<Reader.Known> known(SlotBoardView board, int slot, long generation) {
        if (generation < 0) {
            return Optional.empty();
        }
        for (IdentityChain chain : BoardOwner.CHAINS) {
            for (int block = 0; block < BoardOwner.LONGEST; block++) {
                if (board.isNamed(slot, chain, block)) {
                    SlotBoardView.fence();
                    return board.holds(slot, generation)
                            ? Optional.of(new Reader.Known(new int[]{slot}, new long[]{generation}, chain, block))
                            : Optional.empty();
                }
            }
        }
        return Optional.empty();
    }
}
