package io.kvbm.token;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.util.Objects;

import com.dynatrace.hash4j.hashing.Hasher64;

/**
 * The hashes of {@link TokenHash} for one salt hash and many blocks, without an allocation per block. Tokens are copied
 * in bulk into a buffer that the hasher keeps, so it serves one thread at a time.
 */
public final class TokenHasher {

    /**
     * Free bytes in front of the loaded tokens: room for the 32 bytes of a parent identity, so that parent and tokens
     * can be digested as one run of bytes.
     */
    static final int HEADROOM_BYTES = 32;

    /** Tokens copied at once: what stays in a first-level cache beside its source, and bounds the buffer. */
    private static final int CHUNK_TOKENS = 2048;

    private static final int HEADROOM_INTS = HEADROOM_BYTES / Integer.BYTES;

    private final long saltHash;
    private final Hasher64 xxh3;
    private byte[] bytes = new byte[0];
    private IntBuffer ints = IntBuffer.allocate(0);

    /** A hasher with this salt hash as its seed. */
    public TokenHasher(long saltHash) {
        this.saltHash = saltHash;
        this.xxh3 = TokenHash.seeded(saltHash);
    }

    /** The salt hash, unsigned. */
    public long saltHash() {
        return saltHash;
    }

    /** The block hash of the tokens from index {@code from}, inclusive, to {@code to}, exclusive. */
    public long blockHash(int[] tokens, int from, int to) {
        Objects.checkFromToIndex(from, to, tokens.length);
        load(tokens, from, to - from);
        return xxh3.hashBytesToLong(bytes, HEADROOM_BYTES, (to - from) * Integer.BYTES);
    }

    /** The sequence hash of a block with a parent. */
    public long sequenceHash(long parentSequenceHash, long blockHash) {
        return xxh3.hashLongLongToLong(parentSequenceHash, blockHash);
    }

    /**
     * Hashes consecutive full blocks, the first of which starts its sequence.
     *
     * @param tokens        token ids
     * @param from          index of the first token
     * @param to            index after the last token; {@code to - from} is a multiple of {@code pageSize}
     * @param pageSize      tokens per block
     * @param blockHashes   receives the block hashes from index {@code blockAt} on
     * @param blockAt       index of the first block hash written
     * @param sequenceHashes receives the sequence hashes from index {@code sequenceAt} on
     * @param sequenceAt    index of the first sequence hash written
     */
    public void hashSequence(int[] tokens, int from, int to, int pageSize, long[] blockHashes, int blockAt,
            long[] sequenceHashes, int sequenceAt) {
        hash(tokens, from, to, pageSize, blockHashes, blockAt, sequenceHashes, sequenceAt, true, 0);
    }

    /**
     * Hashes consecutive full blocks that follow a block with this sequence hash; else as
     * {@link #hashSequence(int[], int, int, int, long[], int, long[], int)}.
     */
    public void hashSequenceAfter(long parentSequenceHash, int[] tokens, int from, int to, int pageSize,
            long[] blockHashes, int blockAt, long[] sequenceHashes, int sequenceAt) {
        hash(tokens, from, to, pageSize, blockHashes, blockAt, sequenceHashes, sequenceAt, false, parentSequenceHash);
    }

    private void hash(int[] tokens, int from, int to, int pageSize, long[] blockHashes, int blockAt,
            long[] sequenceHashes, int sequenceAt, boolean root, long parent) {
        int blocks = fullBlocks(tokens, from, to, pageSize);
        Objects.checkFromIndexSize(blockAt, blocks, blockHashes.length);
        Objects.checkFromIndexSize(sequenceAt, blocks, sequenceHashes.length);
        boolean first = root;
        long previous = parent;
        int done = 0;
        while (done < blocks) {
            int loaded = loadBlocks(tokens, from + done * pageSize, blocks - done, pageSize);
            previous = hashLoaded(loaded, pageSize, blockHashes, blockAt + done, sequenceHashes, sequenceAt + done,
                    first, previous);
            first = false;
            done += loaded;
        }
    }

    /** How many blocks of this size the range holds; a range with a remainder is refused. */
    static int fullBlocks(int[] tokens, int from, int to, int pageSize) {
        Objects.checkFromToIndex(from, to, tokens.length);
        requirePageSize(pageSize);
        if ((to - from) % pageSize != 0) {
            throw new IllegalArgumentException("range of " + (to - from) + " tokens is not a multiple of the page size "
                    + pageSize + "; pass full blocks only");
        }
        return (to - from) / pageSize;
    }

    static void requirePageSize(int pageSize) {
        if (pageSize < 1) {
            throw new IllegalArgumentException(
                    "block size of " + pageSize + " tokens is below 1; a block holds at least one token");
        }
    }

    /** Loads as many blocks as one chunk takes, at least one, and returns their number. */
    int loadBlocks(int[] tokens, int from, int blocks, int pageSize) {
        int count = Math.min(blocks, Math.max(1, CHUNK_TOKENS / pageSize));
        load(tokens, from, count * pageSize);
        return count;
    }

    /** The buffer; loaded tokens start behind {@link #HEADROOM_BYTES}. Valid until the next load. */
    byte[] bytes() {
        return bytes;
    }

    /** Hashes the loaded blocks and returns the last sequence hash. */
    long hashLoaded(int blocks, int pageSize, long[] blockHashes, int blockAt, long[] sequenceHashes, int sequenceAt,
            boolean root, long parent) {
        byte[] source = bytes;
        int blockBytes = pageSize * Integer.BYTES;
        int at = HEADROOM_BYTES;
        long previous = parent;
        for (int i = 0; i < blocks; i++) {
            long blockHash = xxh3.hashBytesToLong(source, at, blockBytes);
            previous = root && i == 0 ? blockHash : xxh3.hashLongLongToLong(previous, blockHash);
            blockHashes[blockAt + i] = blockHash;
            sequenceHashes[sequenceAt + i] = previous;
            at += blockBytes;
        }
        return previous;
    }

    private void load(int[] tokens, int from, int count) {
        int needed = Math.addExact(HEADROOM_BYTES, Math.multiplyExact(count, Integer.BYTES));
        if (bytes.length < needed) {
            bytes = new byte[needed];
            ints = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
        }
        ints.put(HEADROOM_INTS, tokens, from, count);
    }
}
