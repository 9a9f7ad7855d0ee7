package io.kvbm.remote;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.block.SlotBoardView;
import io.kvbm.error.FirstFailure;
import io.kvbm.error.RemoteException;
import io.kvbm.error.StorageException;
import io.kvbm.storage.BlockMemory;
import io.kvbm.storage.SharedMapping;

/**
 * The memory of another worker of this host, mapped. That it is on this host is proved by the number that its board
 * repeats, never by the name of a host.
 */
public final class PeerMemory implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(PeerMemory.class);

    private final Map<Integer, MappedLevel> levels = new HashMap<>();
    private final List<SharedMapping> mappings = new ArrayList<>();

    private PeerMemory() {}

    /** Where the memory of a worker is found. */
    @FunctionalInterface
    public interface Source {

        /** Knows of no memory. */
        Source NONE = _ -> Optional.empty();

        /**
         * Maps the memory of a worker; empty where it is on another host or shares none.
         *
         * @throws RemoteException where its board is on this host, but not what was told of it
         */
        Optional<PeerMemory> open(Blockset blockset);
    }

    /** Finds the memory of workers of this host, and compares checksums of what is read from it. */
    public static Source sameHost(ChecksumMode checksums) {
        return blockset -> open(blockset, checksums, ReadStep.Watcher.NONE);
    }

    static Optional<PeerMemory> open(Blockset blockset, ChecksumMode checksums, ReadStep.Watcher watcher) {
        PeerMemory memory = new PeerMemory();
        try {
            for (ExportedLevel level : blockset.levels()) {
                SharedMemoryAddress shared = level.shared();
                if (shared != null) {
                    memory.open(blockset, level, shared, checksums, watcher);
                }
            }
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
        return memory.levels.isEmpty() ? Optional.empty() : Optional.of(memory);
    }

    private void open(Blockset blockset, ExportedLevel level, SharedMemoryAddress shared, ChecksumMode checksums,
            ReadStep.Watcher watcher) {
        Optional<SharedMapping> found = board(shared);
        if (found.isEmpty()) {
            return;
        }
        SharedMapping mapping = found.get();
        mappings.add(mapping);
        SlotBoardView board = SlotBoardView.of(mapping, blockset.workerId(), blockset.epoch(), level.numBlocks());
        List<SharedMapping> files = new ArrayList<>();
        for (int i = 0; i < shared.memoryDescriptors().size(); i++) {
            SharedMapping file = file(shared, shared.memoryDescriptors().get(i));
            mappings.add(file);
            files.add(file);
            if (!board.isFile(i, file) || file.size() != level.memory().get(i).size()) {
                throw new RemoteException(RemoteException.Kind.TRANSPORT, "File " + shared.memoryDescriptors().get(i)
                        + " of process " + shared.pid() + ", of " + file.size()
                        + " bytes, is not the memory that the side table of worker "
                        + Long.toUnsignedString(blockset.workerId()) + " names or that was told of, of "
                        + level.memory().get(i).size() + " bytes; fetch the blockset anew");
            }
        }
        long[] baseOffsets = level.memory().stream().mapToLong(ExportedMemory::baseOffset).toArray();
        levels.put(level.blockSet(), new MappedLevel(board,
                BlockMemory.at(level.blockLayout(), files, baseOffsets), checksums, watcher));
    }

    /** The board that is told of, or nothing where this host does not have it. */
    private static Optional<SharedMapping> board(SharedMemoryAddress shared) {
        SharedMapping mapping;
        try {
            mapping = SharedMapping.open(shared.pid(), shared.boardDescriptor());
        } catch (StorageException e) {
            log.debug("A worker is taken to be on another host: {}", e.getMessage());
            return Optional.empty();
        }
        if (!SlotBoardView.isBoard(mapping, shared.nonce())) {
            mapping.close();
            log.debug("A worker is taken to be on another host: process {} of this one has other memory",
                    shared.pid());
            return Optional.empty();
        }
        return Optional.of(mapping);
    }

    private static SharedMapping file(SharedMemoryAddress shared, int descriptor) {
        try {
            return SharedMapping.open(shared.pid(), descriptor);
        } catch (StorageException e) {
            throw new RemoteException(RemoteException.Kind.TRANSPORT,
                    "The memory beside a side table of this host cannot be mapped: " + e.getMessage(), e);
        }
    }

    /** The block set of this number; empty where it is not mapped. */
    Optional<MappedLevel> level(int blockSet) {
        return Optional.ofNullable(levels.get(blockSet));
    }

    /** Unmaps everything; reads that run end with an error. Further calls do nothing. */
    @Override
    public void close() {
        levels.values().forEach(MappedLevel::close);
        FirstFailure failure = new FirstFailure();
        mappings.forEach(mapping -> failure.attempt(mapping::close));
        failure.rethrow();
    }
}
