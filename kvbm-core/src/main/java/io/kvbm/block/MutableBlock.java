package io.kvbm.block;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

import org.jspecify.annotations.Nullable;

import io.kvbm.token.PartialTokenBlock;
import io.kvbm.token.TokenBlock;
import io.kvbm.token.Tokens;

/**
 * The only hold on a block whose content is being made: its holder alone may write the memory and say which tokens it
 * stands for. Registering it with its pool turns it into an {@link ImmutableBlock}; closing it instead drops the
 * content. One thread at a time.
 */
public final class MutableBlock extends BlockHandle {

    private @Nullable BlockContent content;

    MutableBlock(BlockList<MutableBlock> list, int place) {
        super(list, place);
    }

    /** What the block holds. */
    public ContentState state() {
        return content == null ? ContentState.RESET : content.state();
    }

    /**
     * Starts the first block of a sequence.
     *
     * @param saltHash seed of the hashes, unsigned
     * @throws io.kvbm.error.BlockException unless the block is reset
     */
    public void initSequence(long saltHash) {
        content().initSequence(new PartialTokenBlock(pageSize(), saltHash));
    }

    /**
     * Starts the block that follows another one in its sequence, so that blocks filled token by token have the hashes
     * they would have had as part of a prompt.
     *
     * @param parent the full block before this one
     * @throws io.kvbm.error.BlockException unless the block is reset and holds as many tokens as the parent
     */
    public void initSequence(TokenBlock parent) {
        content().initSequence(parent.nextBlock());
    }

    /** Adds a token; {@code FULL} where there is no room. */
    public void addToken(int token) {
        content().accumulating("take a token").push(token);
    }

    /** Adds as many tokens as there is room for and returns the others. */
    public Tokens addTokens(Tokens tokens) {
        return content().accumulating("take tokens").push(tokens);
    }

    /** Takes the last token back. */
    public int popToken() {
        return content().accumulating("give a token back").pop();
    }

    /** Takes the last n tokens back. */
    public void popTokens(int n) {
        content().accumulating("give tokens back").pop(n);
    }

    /** Declares a full page complete, which computes its hashes. */
    public void commit() {
        content().commit();
    }

    /** Takes over a full page of tokens with its hashes. */
    public void applyTokenBlock(TokenBlock block) {
        content().applyTokenBlock(block);
    }

    /** Drops the content and the priority. */
    public void reset() {
        content().reset();
        owner().priority(this, 0);
    }

    /**
     * The sequence hash of the complete content, unsigned.
     *
     * @throws io.kvbm.error.BlockException where the content is not complete
     */
    public long sequenceHash() {
        return content().sequenceHash();
    }

    /** The number of tokens the block holds. */
    public int length() {
        return content == null ? 0 : content.length();
    }

    /** The number of tokens there is room for; 0 unless the block is partial. */
    public int remaining() {
        return content == null ? 0 : content.remaining();
    }

    /** Whether there are no tokens. */
    public boolean isEmpty() {
        return length() == 0;
    }

    /** Whether there is a full page of tokens. */
    public boolean isFull() {
        return length() == pageSize();
    }

    /** The tokens of a partial or complete block. */
    public Optional<Tokens> tokens() {
        return content == null ? Optional.empty() : Optional.ofNullable(content.tokens());
    }

    /**
     * Sets how long the block is worth keeping once it is registered and returned; honoured by the priority order.
     *
     * @param priority unsigned; lower goes first
     */
    public void priority(int priority) {
        owner().priority(this, priority);
    }

    @Override
    MemorySegment view(MemorySegment memory) {
        return memory;
    }

    BlockContent content() {
        requireOpen();
        if (content == null) {
            content = new BlockContent(pageSize());
        }
        return content;
    }

    void registered() {
        if (content != null) {
            content.registered();
        }
    }

    private int pageSize() {
        return layout().pageSize();
    }
}
