package io.kvbm.token;

import java.util.OptionalLong;

import org.jspecify.annotations.Nullable;

/**
 * An immutable full block of tokens with its hashes. Two blocks are equal when tokens, salt hash, hashes and parent
 * are.
 */
public final class TokenBlock {

    private final Tokens tokens;
    private final long saltHash;
    private final long blockHash;
    private final long sequenceHash;
    private final OptionalLong parentSequenceHash;

    TokenBlock(Tokens tokens, long saltHash, long blockHash, long sequenceHash, OptionalLong parentSequenceHash) {
        this.tokens = tokens;
        this.saltHash = saltHash;
        this.blockHash = blockHash;
        this.sequenceHash = sequenceHash;
        this.parentSequenceHash = parentSequenceHash;
    }

    /** The first block of a sequence. */
    public static TokenBlock first(Tokens tokens, long saltHash) {
        return hash(tokens, new TokenHasher(saltHash), OptionalLong.empty());
    }

    /** The block that follows one with this sequence hash. */
    public static TokenBlock after(long parentSequenceHash, Tokens tokens, long saltHash) {
        return hash(tokens, new TokenHasher(saltHash), OptionalLong.of(parentSequenceHash));
    }

    static TokenBlock hash(Tokens tokens, TokenHasher hasher, OptionalLong parent) {
        if (tokens.isEmpty()) {
            throw new IllegalArgumentException("a block of 0 tokens; a block holds at least one token");
        }
        long blockHash = tokens.hashWith(hasher);
        long sequenceHash = parent.isPresent() ? hasher.sequenceHash(parent.getAsLong(), blockHash) : blockHash;
        return new TokenBlock(tokens, hasher.saltHash(), blockHash, sequenceHash, parent);
    }

    /** The tokens. */
    public Tokens tokens() {
        return tokens;
    }

    /** Tokens in this block, which is the block size of its sequence. */
    public int blockSize() {
        return tokens.size();
    }

    /** The seed of both hashes, unsigned. */
    public long saltHash() {
        return saltHash;
    }

    /** The hash of this block's tokens alone, unsigned. */
    public long blockHash() {
        return blockHash;
    }

    /** The hash of this block and all before it, unsigned. */
    public long sequenceHash() {
        return sequenceHash;
    }

    /** The sequence hash of the block before; empty for the first block of a sequence. */
    public OptionalLong parentSequenceHash() {
        return parentSequenceHash;
    }

    /** A new, empty block that follows this one: same size, same salt. */
    public PartialTokenBlock nextBlock() {
        return new PartialTokenBlock(tokens.size(), new TokenHasher(saltHash), OptionalLong.of(sequenceHash));
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof TokenBlock that && sequenceHash == that.sequenceHash && blockHash == that.blockHash
                && saltHash == that.saltHash && parentSequenceHash.equals(that.parentSequenceHash)
                && tokens.equals(that.tokens);
    }

    @Override
    public int hashCode() {
        return Long.hashCode(sequenceHash);
    }

    @Override
    public String toString() {
        return "TokenBlock[tokens=" + tokens.size() + ", blockHash=" + Long.toUnsignedString(blockHash)
                + ", sequenceHash=" + Long.toUnsignedString(sequenceHash) + ", saltHash="
                + Long.toUnsignedString(saltHash) + "]";
    }
}
