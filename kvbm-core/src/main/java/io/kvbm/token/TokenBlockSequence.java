package io.kvbm.token;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

import io.kvbm.error.TokenException;
import io.kvbm.error.TokenException.Kind;

/**
 * A growing list of tokens cut into blocks of equal size: committed blocks, whose hashes are known, and the current
 * block with the tokens after them. One thread at a time.
 *
 * <p>
 * Construction commits every full block. {@link #extend} and {@link #append} commit a full block only once a token
 * after it arrives, so the last block stays open to {@link #pop()} and {@link #truncate}. At an exact boundary the
 * number of committed blocks therefore depends on how the tokens came; their hashes do not.
 *
 * <p>
 * Tokens and hashes lie in flat arrays; {@link TokenBlock} objects are made when they are asked for.
 */
public final class TokenBlockSequence {

    /**
     * A sequence taken apart.
     *
     * @param blocks  the committed blocks
     * @param current the block after them
     */
    public record Parts(List<TokenBlock> blocks, PartialTokenBlock current) {

        /** Copies the list. */
        public Parts {
            blocks = List.copyOf(blocks);
        }
    }

    private final int blockSize;
    private final TokenHasher hasher;
    private int[] tokens;
    private int totalTokens;
    private long[] blockHashes;
    private long[] sequenceHashes;
    private int committed;

    /** The total at which {@link #append} must commit or grow first: one comparison on its fast path. */
    private int room;

    /** The blocks of these tokens without a salt. */
    public TokenBlockSequence(Tokens tokens, int blockSize) {
        this(tokens, blockSize, TokenHash.NO_SALT_HASH);
    }

    /** The blocks of these tokens; every full block is committed. */
    public TokenBlockSequence(Tokens tokens, int blockSize, long saltHash) {
        TokenHasher.requirePageSize(blockSize);
        this.blockSize = blockSize;
        this.hasher = new TokenHasher(saltHash);
        this.tokens = tokens.toIntArray();
        this.totalTokens = tokens.size();
        int blocks = tokens.size() / blockSize;
        this.blockHashes = new long[blocks];
        this.sequenceHashes = new long[blocks];
        hashUpTo(blocks);
        updateRoom();
    }

    /** The full blocks of these tokens and the block after them. */
    public static Parts split(Tokens tokens, int blockSize, long saltHash) {
        return new TokenBlockSequence(tokens, blockSize, saltHash).toParts();
    }

    /** Appends one token; the index of the block that was committed by it, if any. */
    public OptionalInt append(int token) {
        OptionalInt done = totalTokens == room ? makeRoom() : OptionalInt.empty();
        tokens[totalTokens++] = token;
        return done;
    }

    private OptionalInt makeRoom() {
        OptionalInt done = OptionalInt.empty();
        reserve(1);
        if (currentSize() == blockSize) {
            done = OptionalInt.of(committed);
            commitCurrent();
        }
        updateRoom();
        return done;
    }

    private void commitCurrent() {
        reserveBlocks(committed + 1);
        int from = committed * blockSize;
        long blockHash = hasher.blockHash(tokens, from, from + blockSize);
        blockHashes[committed] = blockHash;
        sequenceHashes[committed] = committed == 0 ? blockHash
                : hasher.sequenceHash(sequenceHashes[committed - 1], blockHash);
        committed++;
    }

    private void updateRoom() {
        room = (int) Math.min(tokens.length, (committed + 1L) * blockSize);
    }

    /** Appends these tokens; the blocks that were committed by them, if any. */
    public Optional<BlockRange> extend(Tokens more) {
        reserve(more.size());
        more.copyTo(tokens, totalTokens);
        return grow(more.size());
    }

    /** Appends the tokens of the array from index {@code from}, inclusive, to {@code to}, exclusive. */
    public Optional<BlockRange> extend(int[] more, int from, int to) {
        Objects.checkFromToIndex(from, to, more.length);
        reserve(to - from);
        System.arraycopy(more, from, tokens, totalTokens, to - from);
        return grow(to - from);
    }

    private Optional<BlockRange> grow(int count) {
        if (count == 0) {
            return Optional.empty();
        }
        totalTokens += count;
        int before = committed;
        int blocks = (totalTokens - 1) / blockSize;
        if (blocks > before) {
            reserveBlocks(blocks);
            hashUpTo(blocks);
        }
        updateRoom();
        return blocks > before ? Optional.of(new BlockRange(before, blocks)) : Optional.empty();
    }

    private void reserve(int count) {
        int needed = Math.addExact(totalTokens, count);
        if (needed > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(needed, Math.max(64, 2 * tokens.length)));
        }
    }

    private void reserveBlocks(int blocks) {
        if (blocks > blockHashes.length) {
            int capacity = Math.max(blocks, Math.max(16, 2 * blockHashes.length));
            blockHashes = Arrays.copyOf(blockHashes, capacity);
            sequenceHashes = Arrays.copyOf(sequenceHashes, capacity);
        }
    }

    private void hashUpTo(int blocks) {
        int from = committed * blockSize;
        int to = blocks * blockSize;
        if (committed == 0) {
            hasher.hashSequence(tokens, from, to, blockSize, blockHashes, 0, sequenceHashes, 0);
        } else {
            hasher.hashSequenceAfter(sequenceHashes[committed - 1], tokens, from, to, blockSize, blockHashes, committed,
                    sequenceHashes, committed);
        }
        committed = blocks;
    }

    /** Keeps the first {@code length} tokens; no effect when there are no more than that. */
    public void truncate(int length) {
        if (length < 0) {
            throw new IllegalArgumentException("length of " + length + " tokens is negative");
        }
        if (length >= totalTokens) {
            return;
        }
        totalTokens = length;
        committed = Math.min(committed, length / blockSize);
        updateRoom();
    }

    /** Drops the last {@code count} tokens; {@link Kind#INSUFFICIENT_TOKENS} and unchanged when there are fewer. */
    public void unwind(int count) {
        if (count < 0) {
            throw new IllegalArgumentException("count of " + count + " tokens is negative");
        }
        if (count > totalTokens) {
            throw new TokenException(Kind.INSUFFICIENT_TOKENS, "cannot unwind " + count + " tokens: the sequence holds "
                    + totalTokens + "; unwind at most as many as it holds");
        }
        truncate(totalTokens - count);
    }

    /** Takes the last token and returns its bit pattern; empty when there is none. */
    public OptionalInt pop() {
        if (totalTokens == 0) {
            return OptionalInt.empty();
        }
        int last = tokens[totalTokens - 1];
        truncate(totalTokens - 1);
        return OptionalInt.of(last);
    }

    /** How many tokens, those of the current block included. */
    public int totalTokens() {
        return totalTokens;
    }

    /** Tokens per block. */
    public int blockSize() {
        return blockSize;
    }

    /** The seed of the hashes, unsigned. */
    public long saltHash() {
        return hasher.saltHash();
    }

    /** How many blocks are committed. */
    public int blockCount() {
        return committed;
    }

    /** How many tokens the current block holds. */
    public int currentSize() {
        return totalTokens - committed * blockSize;
    }

    /** All tokens, copied. */
    public Tokens tokens() {
        return Tokens.copyOf(tokens, 0, totalTokens);
    }

    /** The block hash of the committed block with this index, unsigned. */
    public long blockHash(int index) {
        return blockHashes[Objects.checkIndex(index, committed)];
    }

    /** The sequence hash of the committed block with this index, unsigned. */
    public long sequenceHash(int index) {
        return sequenceHashes[Objects.checkIndex(index, committed)];
    }

    /** The committed block with this index, as it is now. */
    public TokenBlock block(int index) {
        Objects.checkIndex(index, committed);
        return block(index, Tokens.copyOf(tokens, index * blockSize, (index + 1) * blockSize));
    }

    /** The committed blocks as they are now; later changes of the sequence do not show. */
    public List<TokenBlock> blocks() {
        Tokens all = Tokens.copyOf(tokens, 0, committed * blockSize);
        List<TokenBlock> blocks = new ArrayList<>(committed);
        for (int i = 0; i < committed; i++) {
            blocks.add(block(i, all.subList(i * blockSize, (i + 1) * blockSize)));
        }
        return Collections.unmodifiableList(blocks);
    }

    private TokenBlock block(int index, Tokens content) {
        return new TokenBlock(content, hasher.saltHash(), blockHashes[index], sequenceHashes[index], parentOf(index));
    }

    private OptionalLong parentOf(int index) {
        return index == 0 ? OptionalLong.empty() : OptionalLong.of(sequenceHashes[index - 1]);
    }

    /** The last committed block. */
    public Optional<TokenBlock> lastBlock() {
        return committed == 0 ? Optional.empty() : Optional.of(block(committed - 1));
    }

    /** A copy of the current block; changing it does not change the sequence. */
    public PartialTokenBlock currentBlock() {
        PartialTokenBlock current = new PartialTokenBlock(blockSize, new TokenHasher(hasher.saltHash()),
                parentOf(committed));
        current.push(Tokens.copyOf(tokens, committed * blockSize, totalTokens));
        return current;
    }

    /** Copies of the committed blocks and of the current one. */
    public Parts toParts() {
        return new Parts(blocks(), currentBlock());
    }

    @Override
    public String toString() {
        return "TokenBlockSequence[blocks=" + committed + ", blockSize=" + blockSize + ", tokens=" + totalTokens + "]";
    }
}
