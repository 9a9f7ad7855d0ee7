package io.kvbm.block;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import java.util.OptionalInt;

import io.kvbm.error.RemoteException;
import io.kvbm.storage.SharedMapping;
import io.kvbm.token.IdentityChain;

/**
 * The {@link SlotBoard} of another process, as a reader sees it. A reader asks what a slot holds, copies, and asks
 * {@linkplain #fence after a fence} whether it has held it all the while. Every answer is checked against the bounds of
 * the board, whatever its owner has written there.
 */
public final class SlotBoardView {

    private final MemorySegment board;
    private final long entries;
    private final int slots;
    private final int files;

    private SlotBoardView(MemorySegment board, int slots, int files) {
        this.board = board;
        this.entries = BoardFormat.headerBytes(files);
        this.slots = slots;
        this.files = files;
    }

    /**
     * Whether a mapping is the board that was told of: only then is its owner on this host.
     *
     * @param nonce what was told of it
     */
    public static boolean isBoard(SharedMapping mapping, SlotBoard.Nonce nonce) {
        MemorySegment board = mapping.segment();
        return board.byteSize() >= BoardFormat.headerBytes(0)
                && (long) BoardFormat.LONG.getAcquire(board, BoardFormat.MAGIC_AT) == BoardFormat.MAGIC
                && BoardFormat.header(board, BoardFormat.NONCE_HIGH_AT) == nonce.high()
                && BoardFormat.header(board, BoardFormat.NONCE_LOW_AT) == nonce.low();
    }

    /**
     * Opens a board.
     *
     * @param workerId whose it has to be
     * @param epoch of which start of that worker it has to be
     * @param slots for how many slots it has to be
     * @throws RemoteException {@code UNSUPPORTED_VERSION}, {@code TRANSPORT} where it is another one
     */
    public static SlotBoardView of(SharedMapping mapping, long workerId, long epoch, int slots) {
        MemorySegment board = mapping.segment();
        long version = BoardFormat.header(board, BoardFormat.VERSION_AT);
        if (version != BoardFormat.VERSION) {
            throw new RemoteException(RemoteException.Kind.UNSUPPORTED_VERSION, "The side table of worker "
                    + Long.toUnsignedString(workerId) + " is of version " + version + ", this one reads "
                    + BoardFormat.VERSION + "; run the same release on both");
        }
        require("worker", workerId, BoardFormat.header(board, BoardFormat.WORKER_AT), workerId);
        require("epoch", epoch, BoardFormat.header(board, BoardFormat.EPOCH_AT), workerId);
        require("number of slots", slots, BoardFormat.header(board, BoardFormat.SLOTS_AT), workerId);
        int files = files(board, workerId);
        require("size", Math.max(board.byteSize(), BoardFormat.bytes(slots, files)), board.byteSize(), workerId);
        return new SlotBoardView(board, slots, files);
    }

    private static int files(MemorySegment board, long workerId) {
        long files = BoardFormat.header(board, BoardFormat.FILES_AT);
        if (files < 1 || files > (board.byteSize() - BoardFormat.FIRST_FILE_AT) / BoardFormat.FILE_BYTES) {
            throw new RemoteException(RemoteException.Kind.TRANSPORT, "The side table of worker "
                    + Long.toUnsignedString(workerId) + " names " + files + " files of memory");
        }
        return (int) files;
    }

    private static void require(String what, long told, long found, long workerId) {
        if (told != found) {
            throw new RemoteException(RemoteException.Kind.TRANSPORT, "The side table of worker "
                    + Long.toUnsignedString(workerId) + " has " + what + " " + Long.toUnsignedString(found) + ", but "
                    + Long.toUnsignedString(told) + " was told of it; fetch the blockset anew");
        }
    }

    /** Whether a mapping is the file of this number that the board's slots lie in. */
    public boolean isFile(int number, SharedMapping file) {
        long at = BoardFormat.FIRST_FILE_AT + number * BoardFormat.FILE_BYTES;
        return number >= 0 && number < files && BoardFormat.header(board, at) == file.inode()
                && BoardFormat.header(board, at + Long.BYTES) == file.size();
    }

    /** The number of slots. */
    public int slots() {
        return slots;
    }

    /** Whether a slot holds registered content of this generation; bytes read behind it are of that or of later content. */
    public boolean holds(int slot, long generation) {
        return (long) BoardFormat.LONG.getAcquire(board, entry(slot) + BoardFormat.WORD) == BoardFormat
                .registered(generation);
    }

    /**
     * How far slots hold registered content of these generations. A loop that does nothing else lets the processor fetch
     * many entries at once, which lie far apart.
     *
     * @return the first place from {@code from} on, below {@code to}, at which a slot does not; {@code to} where all do
     */
    public int holding(int[] slots, long[] generations, int from, int to) {
        for (int i = from; i < to; i++) {
            if (!holds(slots[i], generations[i])) {
                return i;
            }
        }
        return to;
    }

    /** The generation of the registered content of a slot, or -1 where there is none. */
    public long registeredGeneration(int slot) {
        long word = (long) BoardFormat.LONG.getAcquire(board, entry(slot) + BoardFormat.WORD);
        return BoardFormat.isRegistered(word) ? BoardFormat.generation(word) : -1;
    }

    /** Whether the content that {@link #holds} has found has this identity. */
    public boolean isNamed(int slot, IdentityChain chain, int block) {
        long identity = entry(slot) + BoardFormat.IDENTITY;
        for (int w = 0; w < BoardFormat.IDENTITY_WORDS; w++) {
            long wanted = w < chain.words() ? chain.word(block, w) : 0;
            if ((long) BoardFormat.LONG.get(board, identity + w * (long) Long.BYTES) != wanted) {
                return false;
            }
        }
        return true;
    }

    /** Whether the content of a slot is lent under this number. */
    public boolean isLent(int slot, long loan) {
        return loan != 0 && (long) BoardFormat.LONG.getAcquire(board, entry(slot) + BoardFormat.LOAN) == loan;
    }

    /** As {@link #holding} of slots that are lent, each under its number. */
    public int lent(int[] slots, long[] loans, int from, int to) {
        for (int i = from; i < to; i++) {
            if (!isLent(slots[i], loans[i])) {
                return i;
            }
        }
        return to;
    }

    /** The checksum of the content of a slot, where its owner has computed it. */
    public OptionalInt checksum(int slot, long generation) {
        long word = (long) BoardFormat.LONG.getAcquire(board, entry(slot) + BoardFormat.CHECKSUM);
        return BoardFormat.isChecksum(word, generation) ? OptionalInt.of((int) word) : OptionalInt.empty();
    }

    /** Between the copy and the second look: what was read before is not read after it. */
    public static void fence() {
        VarHandle.fullFence();
    }

    private long entry(int slot) {
        return entries + Objects.checkIndex(slot, slots) * BoardFormat.ENTRY_BYTES;
    }
}
