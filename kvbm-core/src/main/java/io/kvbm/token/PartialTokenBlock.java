package io.kvbm.token;

import java.util.Arrays;
import java.util.OptionalLong;

import io.kvbm.error.TokenException;
import io.kvbm.error.TokenException.Kind;

/**
 * The block of a sequence that still takes tokens: up to a fixed number of them, the salt hash and, unless it is the
 * first, the sequence hash of the block before. {@link #commit()} turns it into a {@link TokenBlock} and itself into
 * the next block. One thread at a time.
 */
public final class PartialTokenBlock {

    private final int blockSize;
    private final TokenHasher hasher;
    private int[] tokens;
    private int length;
    private OptionalLong parentSequenceHash;

    /** An empty block that starts a sequence. */
    public PartialTokenBlock(int blockSize, long saltHash) {
        this(blockSize, new TokenHasher(saltHash), OptionalLong.empty());
    }

    PartialTokenBlock(int blockSize, TokenHasher hasher, OptionalLong parentSequenceHash) {
        TokenHasher.requirePageSize(blockSize);
        this.blockSize = blockSize;
        this.hasher = hasher;
        this.tokens = newBuffer(blockSize);
        this.parentSequenceHash = parentSequenceHash;
    }

    /** Room for a whole block of usual size; a larger one grows as its tokens come. */
    private static int[] newBuffer(int blockSize) {
        return new int[Math.min(blockSize, 64)];
    }

    /** Adds one token; {@link Kind#FULL} when there is no room. */
    public void push(int token) {
        if (length == tokens.length) {
            if (length == blockSize) {
                throw new TokenException(Kind.FULL, "block is full: it holds " + length + " of " + blockSize
                        + " tokens; commit it before another token is pushed");
            }
            reserve(1);
        }
        tokens[length++] = token;
    }

    /** Adds as many of the tokens as there is room for and returns the others. */
    public Tokens push(Tokens more) {
        int taken = Math.min(more.size(), remaining());
        reserve(taken);
        more.subList(0, taken).copyTo(tokens, length);
        length += taken;
        return more.subList(taken, more.size());
    }

    private void reserve(int count) {
        int needed = length + count;
        if (needed > tokens.length) {
            long doubled = 2L * tokens.length;
            tokens = Arrays.copyOf(tokens, (int) Math.min(blockSize, Math.max(needed, doubled)));
        }
    }

    /** Takes the last token and returns it; {@link Kind#EMPTY} when there is none. */
    public int pop() {
        if (length == 0) {
            throw new TokenException(Kind.EMPTY,
                    "block is empty: it holds 0 of " + blockSize + " tokens; push a token before one is popped");
        }
        return tokens[--length];
    }

    /** Takes the last {@code count} tokens; {@link Kind#INSUFFICIENT_TOKENS} and unchanged when there are fewer. */
    public void pop(int count) {
        if (count < 0) {
            throw new IllegalArgumentException("count of " + count + " tokens is negative");
        }
        if (count > length) {
            throw new TokenException(Kind.INSUFFICIENT_TOKENS, "cannot pop " + count + " tokens: the block holds "
                    + length + "; pop at most as many as it holds");
        }
        length -= count;
    }

    /**
     * Turns the full block into a {@link TokenBlock} and this object into the empty block after it;
     * {@link Kind#INCOMPLETE} and unchanged when it is not full.
     */
    public TokenBlock commit() {
        if (length != blockSize) {
            throw new TokenException(Kind.INCOMPLETE, "block is incomplete: it holds " + length + " of " + blockSize
                    + " tokens; push " + remaining() + " more before it is committed");
        }
        TokenBlock block = TokenBlock.hash(Tokens.wrap(tokens, 0, length), hasher, parentSequenceHash);
        tokens = newBuffer(blockSize);
        length = 0;
        parentSequenceHash = OptionalLong.of(block.sequenceHash());
        return block;
    }

    /** The tokens so far, copied. */
    public Tokens tokens() {
        return Tokens.wrap(Arrays.copyOf(tokens, length), 0, length);
    }

    /** How many tokens it holds. */
    public int size() {
        return length;
    }

    /** How many tokens it holds when full. */
    public int blockSize() {
        return blockSize;
    }

    /** How many more tokens it takes. */
    public int remaining() {
        return blockSize - length;
    }

    /** Whether it holds no token. */
    public boolean isEmpty() {
        return length == 0;
    }

    /** Whether it takes no more tokens. */
    public boolean isFull() {
        return length == blockSize;
    }

    /** The seed of the hashes, unsigned. */
    public long saltHash() {
        return hasher.saltHash();
    }

    /** The sequence hash of the block before; empty for the first block of a sequence. */
    public OptionalLong parentSequenceHash() {
        return parentSequenceHash;
    }

    @Override
    public String toString() {
        return "PartialTokenBlock[tokens=" + length + " of " + blockSize + "]";
    }
}
