package io.kvbm.remote;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

import io.kvbm.block.SlotBoard;
import io.kvbm.error.RemoteException;

/**
 * Where a process of the same host and user finds one level's memory and its board: open files of the owner, as
 * {@code /proc/<pid>/fd/<descriptor>}.
 *
 * @param pid the owner's process id, at least 1
 * @param nonceHigh the upper half of a random number that the board's first page repeats; both halves are not 0
 * @param nonceLow the lower half
 * @param boardDescriptor the owner's descriptor of the board
 * @param memoryDescriptors the owner's descriptors of the memory, one for each storage of the layout, in its order
 */
public record SharedMemoryAddress(long pid, long nonceHigh, long nonceLow, int boardDescriptor,
        List<Integer> memoryDescriptors) {

    /**
     * Takes an address over.
     *
     * @throws RemoteException {@code MALFORMED} where a number is out of its range or a descriptor is given twice,
     *         {@code LIMIT} where there are more descriptors than a blockset has memories
     */
    public SharedMemoryAddress {
        if (pid < 1 || pid > Integer.MAX_VALUE) {
            throw Refusal.malformed("Shared memory of process " + pid + "; a process id is 1 to " + Integer.MAX_VALUE);
        }
        if (nonceHigh == 0 && nonceLow == 0) {
            throw Refusal.malformed("Shared memory of process " + pid
                    + " has the nonce 0, which every empty page repeats; have its owner draw one");
        }
        if (memoryDescriptors.size() > Blockset.MAX_MEMORIES) {
            throw Refusal.tooMuch("The number of shared memories", memoryDescriptors.size(), Blockset.MAX_MEMORIES);
        }
        memoryDescriptors = List.copyOf(memoryDescriptors);
        Set<Integer> seen = new HashSet<>();
        requireNew(seen, boardDescriptor);
        memoryDescriptors.forEach(descriptor -> requireNew(seen, descriptor));
    }

    /** Where other processes find this board of the running process. */
    static SharedMemoryAddress of(SlotBoard board) {
        return new SharedMemoryAddress(ProcessHandle.current().pid(), board.nonce().high(), board.nonce().low(),
                board.descriptor(), board.memoryDescriptors());
    }

    /** What the board of this address repeats. */
    SlotBoard.Nonce nonce() {
        return new SlotBoard.Nonce(nonceHigh, nonceLow);
    }

    private static void requireNew(Set<Integer> seen, int descriptor) {
        if (descriptor < 0 || !seen.add(descriptor)) {
            throw Refusal.malformed("Shared memory names the file descriptor " + descriptor
                    + (descriptor < 0 ? ", which is below 0" : " twice") + "; name each file once");
        }
    }
}
