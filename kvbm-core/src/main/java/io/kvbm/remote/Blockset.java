package io.kvbm.remote;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.RemoteException;
import io.kvbm.storage.StorageType;
import io.kvbm.token.ContentFingerprint;

/**
 * What a worker exports: who it is, of which model its content is, and where its blocks lie.
 *
 * @param workerId the worker, unsigned
 * @param epoch when the worker was started, in wall milliseconds, unsigned; 0 where it does not say
 * @param fingerprint of which model the content is, or null where the worker does not say: then nothing it holds is
 *        ever a hit, and its blocks are of use to callers only who know by themselves what is in them
 * @param levels the block sets, each under a number of its own
 * @param agentMetadata what a NIXL agent needs to reach the memory; empty without one
 */
@SuppressWarnings("ArrayRecordComponent") // copied on the way in and out, and compared by content
public record Blockset(long workerId, long epoch, @Nullable ContentFingerprint fingerprint, List<ExportedLevel> levels,
        byte[] agentMetadata) {

    /** The number of block sets one worker exports at most. */
    public static final int MAX_LEVELS = 8;

    /** The number of memories in all block sets of one worker at most. */
    public static final int MAX_MEMORIES = 4096;

    /** The bytes of agent metadata at most. */
    public static final int MAX_AGENT_METADATA = 256 << 10;

    /**
     * Takes a blockset over.
     *
     * @throws RemoteException {@code MALFORMED} where two block sets have one number, a byte of memory is exported twice
     *         or the shared memory is of two processes; {@code LIMIT} where there is too much of anything
     */
    public Blockset {
        if (levels.size() > MAX_LEVELS) {
            throw Refusal.tooMuch("The number of block sets", levels.size(), MAX_LEVELS);
        }
        levels = List.copyOf(levels);
        int memories = levels.stream().mapToInt(level -> level.memory().size()).sum();
        if (memories > MAX_MEMORIES) {
            throw Refusal.tooMuch("The number of memories", memories, MAX_MEMORIES);
        }
        if (agentMetadata.length > MAX_AGENT_METADATA) {
            throw Refusal.tooMuch("The length of the agent metadata in bytes", agentMetadata.length,
                    MAX_AGENT_METADATA);
        }
        agentMetadata = agentMetadata.clone();
        requireOwnNumbers(levels);
        requireApart(levels);
        requireOneProcess(levels);
    }

    private static void requireOwnNumbers(List<ExportedLevel> levels) {
        Set<Integer> numbers = new HashSet<>();
        for (ExportedLevel level : levels) {
            if (!numbers.add(level.blockSet())) {
                throw Refusal.malformed(
                        "Block set " + level.blockSet() + " is exported twice; give each a number of its own");
            }
        }
    }

    /** Null storage has no memory, and that of NIXL is in address spaces unknown: both may overlap. */
    private static void requireApart(List<ExportedLevel> levels) {
        List<ExportedMemory> runs = new ArrayList<>();
        for (ExportedLevel level : levels) {
            if (ExportedLevel.isHost(level.storageType()) || level.storageType() instanceof StorageType.Device) {
                runs.addAll(level.memory());
            }
        }
        runs.sort(Comparator.comparingInt(Blockset::addressSpace)
                .thenComparing(ExportedMemory::address, Long::compareUnsigned));
        for (int i = 1; i < runs.size(); i++) {
            ExportedMemory before = runs.get(i - 1);
            ExportedMemory run = runs.get(i);
            if (addressSpace(before) == addressSpace(run) && before.overlaps(run)) {
                throw Refusal.malformed("Memory of " + before.size() + " bytes from "
                        + Long.toUnsignedString(before.address()) + " on and of " + run.size() + " bytes from "
                        + Long.toUnsignedString(run.address()) + " on is exported, which overlaps");
            }
        }
    }

    private static int addressSpace(ExportedMemory run) {
        return run.type() instanceof StorageType.Device(int ordinal) ? ordinal : -1;
    }

    private static void requireOneProcess(List<ExportedLevel> levels) {
        long[] pids = levels.stream()
                .map(ExportedLevel::shared)
                .flatMap(shared -> Optional.ofNullable(shared).stream())
                .mapToLong(SharedMemoryAddress::pid)
                .distinct()
                .toArray();
        if (pids.length > 1) {
            throw Refusal.malformed("The worker shares memory of the processes " + Arrays.toString(pids)
                    + "; a worker is one process");
        }
    }

    /** Whether content of this blockset may be served for content of this fingerprint. */
    public boolean isOf(ContentFingerprint wanted) {
        return wanted.equals(fingerprint);
    }

    /** The block set of this number, or nothing. */
    public Optional<ExportedLevel> level(int blockSet) {
        return levels.stream().filter(level -> level.blockSet() == blockSet).findFirst();
    }

    /** The agent metadata in a new array. */
    @Override
    public byte[] agentMetadata() {
        return agentMetadata.clone();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Blockset that && workerId == that.workerId && epoch == that.epoch
                && (fingerprint == null ? that.fingerprint == null : fingerprint.equals(that.fingerprint))
                && levels.equals(that.levels) && Arrays.equals(agentMetadata, that.agentMetadata);
    }

    @Override
    public int hashCode() {
        return (Long.hashCode(workerId) * 31 + Long.hashCode(epoch)) * 31 + levels.hashCode();
    }

    @Override
    public String toString() {
        return "Blockset[worker " + Long.toUnsignedString(workerId) + ", epoch " + Long.toUnsignedString(epoch)
                + ", content "
                + (fingerprint == null ? "unknown" : fingerprint) + ", " + levels + ", " + agentMetadata.length
                + " bytes of agent metadata]";
    }
}
