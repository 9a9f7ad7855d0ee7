package io.kvbm.block;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

import io.kvbm.storage.HostAllocator;
import io.kvbm.storage.HostStorage;
import io.kvbm.storage.Storage;

/**
 * What a worker tells other processes of its host about the content of its slots, in shared memory that only it can
 * write: of each slot the generation, whether its content is registered, and under which identity. A
 * {@link SlotBoardView} of another process reads a block without asking anybody, and finds out on the board whether what
 * it has read is what it wanted.
 *
 * <h2>Why a reader cannot be deceived</h2>
 *
 * Three orders matter, and they have to hold on processors that reorder more than x86 does, such as ARM.
 * <ol>
 * <li>The bytes of a block and its identity are written before the word that says it is registered: the word is stored
 * with release semantics (a plain store on x86, {@code stlr} on ARM). A reader that loads it with acquire semantics and
 * finds it registered sees those bytes.
 * <li>The word that says the content is gone is written before any byte of the next content. A release store would not
 * do, as it lets later stores pass; hence a full fence behind it ({@code lock add} on x86, where it holds back
 * non-temporal stores of a large copy too, {@code dmb ish} on ARM). The slot is handed out behind it.
 * <li>A reader loads the word again after it has copied the bytes, with a full fence between, so that no byte is loaded
 * after the word. If the word has not changed, no byte of a later content can have been among those copied: had it been
 * visible, so would have been the word before it. Its identity, which the reader compares between the two loads, is the
 * published one for the same reason: the next one is written behind the fence as well.
 * </ol>
 * The generation rises with every content that goes, 2^37 times in one slot before it starts again, so that a word does
 * not come back while somebody still knows of it. A worker that dies
 * between two steps leaves the board in one of these states, all of which are true.
 *
 * <p>
 * {@link #publish} and {@link #withdraw} are called under the pool's lock, {@link #lend} and {@link #takeBack} by whoever
 * holds the slot.
 */
public final class SlotBoard implements AutoCloseable {

    private final HostStorage storage;
    final MemorySegment board;
    private final long entries;
    private final int slots;
    private final long epoch;
    private final Nonce nonce;
    private final List<Integer> memoryDescriptors;

    private SlotBoard(HostStorage storage, int slots, long epoch, Nonce nonce, List<HostStorage> files) {
        this.storage = storage;
        this.board = storage.segment();
        this.entries = BoardFormat.headerBytes(files.size());
        this.slots = slots;
        this.epoch = epoch;
        this.nonce = nonce;
        this.memoryDescriptors = files.stream().map(file -> file.fileDescriptor().orElseThrow()).toList();
    }

    /**
     * A number that nobody can guess and that is on no other board: whoever reads it there reads this board.
     *
     * @param high the upper half
     * @param low the lower half
     */
    public record Nonce(long high, long low) {}

    /**
     * The board of a block set, on which no slot is registered; empty where its memory is not shared.
     *
     * @param epoch when the worker was started, in wall milliseconds, unsigned
     */
    public static Optional<SlotBoard> create(BlockSet blocks, long epoch, Nonce nonce) {
        List<HostStorage> files = blocks.memory.storages().stream().flatMap(SlotBoard::shared).toList();
        if (files.size() < blocks.memory.storages().size()) {
            return Optional.empty();
        }
        long bytes = BoardFormat.bytes(blocks.size(), files.size());
        HostStorage storage = HostAllocator.builder()
                .name("kvbm-board")
                .hugePages(false)
                .backgroundFrom(Long.MAX_VALUE)
                .build()
                .allocate(bytes);
        if (storage.fileDescriptor().isEmpty()) {
            storage.close();
            return Optional.empty();
        }
        SlotBoard board = new SlotBoard(storage, blocks.size(), epoch, nonce, files);
        board.write(blocks.workerId(), files);
        return Optional.of(board);
    }

    private static Stream<HostStorage> shared(Storage storage) {
        return storage instanceof HostStorage host && host.fileDescriptor().isPresent()
                ? Stream.of(host)
                : Stream.empty();
    }

    /** The magic comes last: a board without it is not one yet. */
    private void write(long workerId, List<HostStorage> files) {
        header(BoardFormat.VERSION_AT, BoardFormat.VERSION);
        header(BoardFormat.WORKER_AT, workerId);
        header(BoardFormat.EPOCH_AT, epoch);
        header(BoardFormat.NONCE_HIGH_AT, nonce.high());
        header(BoardFormat.NONCE_LOW_AT, nonce.low());
        header(BoardFormat.SLOTS_AT, slots);
        header(BoardFormat.FILES_AT, files.size());
        for (int i = 0; i < files.size(); i++) {
            long at = BoardFormat.FIRST_FILE_AT + i * BoardFormat.FILE_BYTES;
            header(at, files.get(i).inode().orElseThrow());
            header(at + Long.BYTES, files.get(i).size());
        }
        BoardFormat.LONG.setRelease(board, BoardFormat.MAGIC_AT, BoardFormat.MAGIC);
    }

    private void header(long at, long value) {
        BoardFormat.LONG.set(board, at, value);
    }

    /**
     * States that a slot's content is registered.
     *
     * @param identities an array in which the words of its identity stand
     * @param at where they start
     * @param words how many they are, at most 4
     */
    public void publish(int slot, long generation, long[] identities, int at, int words) {
        long entry = entry(slot);
        for (int w = 0; w < BoardFormat.IDENTITY_WORDS; w++) {
            long word = w < words ? identities[at + w] : 0;
            BoardFormat.LONG.set(board, entry + BoardFormat.IDENTITY + w * (long) Long.BYTES, word);
        }
        BoardFormat.LONG.setRelease(board, entry + BoardFormat.WORD, BoardFormat.registered(generation));
    }

    /** States that a slot's content is gone, before any byte of it is written over. */
    public void withdraw(int slot, long nextGeneration) {
        BoardFormat.LONG.setOpaque(board, entry(slot) + BoardFormat.WORD, BoardFormat.vacant(nextGeneration));
        VarHandle.fullFence();
    }

    /** Whether a slot holds registered content of this generation, as {@link SlotBoardView#holds} says. */
    public boolean holds(int slot, long generation) {
        return (long) BoardFormat.LONG.getAcquire(board, entry(slot) + BoardFormat.WORD) == BoardFormat
                .registered(generation);
    }

    /** The generation of a slot, which holds registered content of it or none. */
    public long generation(int slot) {
        return BoardFormat.generation((long) BoardFormat.LONG.getAcquire(board, entry(slot) + BoardFormat.WORD));
    }

    /** Whether the checksum of a slot's content of this generation is stated. */
    public boolean isChecked(int slot, long generation) {
        return BoardFormat.isChecksum((long) BoardFormat.LONG.getAcquire(board, entry(slot) + BoardFormat.CHECKSUM),
                generation);
    }

    /** States the checksum of a slot's content of this generation; by one thread only. */
    public void checksum(int slot, long generation, int crc) {
        BoardFormat.LONG.setRelease(board, entry(slot) + BoardFormat.CHECKSUM, BoardFormat.checksum(generation, crc));
    }

    /**
     * States that the content of a slot is lent until it is taken back, registered or not.
     *
     * @param loan a number that this board has not had before, not 0
     */
    public void lend(int slot, long loan) {
        BoardFormat.LONG.setRelease(board, entry(slot) + BoardFormat.LOAN, loan);
    }

    /** States that the content of a slot is lent no more, before any byte of it is written over. */
    public void takeBack(int slot) {
        BoardFormat.LONG.setOpaque(board, entry(slot) + BoardFormat.LOAN, 0L);
        VarHandle.fullFence();
    }

    /** The number of slots. */
    public int slots() {
        return slots;
    }

    private long entry(int slot) {
        return entries + Objects.checkIndex(slot, slots) * BoardFormat.ENTRY_BYTES;
    }

    /** The start of the worker since which the generations on the board count, in wall milliseconds, unsigned. */
    public long epoch() {
        return epoch;
    }

    /** What proves that a reader reads this board. */
    public Nonce nonce() {
        return nonce;
    }

    /** The file descriptor of the board in this process. */
    public int descriptor() {
        return storage.fileDescriptor().orElseThrow();
    }

    /** The file descriptors of the memory in this process. */
    public List<Integer> memoryDescriptors() {
        return memoryDescriptors;
    }

    /** Frees the board; those who map it keep what was there last. Further calls do nothing. */
    @Override
    public void close() {
        storage.close();
    }
}
