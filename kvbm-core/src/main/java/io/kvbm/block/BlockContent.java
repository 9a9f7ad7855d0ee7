package io.kvbm.block;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.BlockException;
import io.kvbm.token.PartialTokenBlock;
import io.kvbm.token.TokenBlock;
import io.kvbm.token.Tokens;

/** The content of one block that is being filled: its {@link ContentState} and the tokens that go with it. */
final class BlockContent {

    private final int pageSize;

    private ContentState state = ContentState.RESET;
    private @Nullable PartialTokenBlock partial;
    private @Nullable TokenBlock full;

    BlockContent(int pageSize) {
        this.pageSize = pageSize;
    }

    ContentState state() {
        return state;
    }

    void initSequence(PartialTokenBlock first) {
        if (first.blockSize() != pageSize) {
            throw new BlockException(BlockException.Kind.STATE_INVALID, "A block of " + pageSize
                    + " tokens cannot continue a block of " + first.blockSize()
                    + "; cut the sequence by the page size");
        }
        require(ContentState.RESET, "start a sequence");
        state = state.to(ContentState.PARTIAL);
        partial = first;
    }

    void applyTokenBlock(TokenBlock block) {
        if (block.tokens().size() != pageSize) {
            throw new BlockException(BlockException.Kind.STATE_INVALID, "A block of " + pageSize
                    + " tokens cannot take a token block of " + block.tokens().size()
                    + "; cut the sequence by the page size");
        }
        require(ContentState.RESET, "take a token block");
        state = state.to(ContentState.COMPLETE);
        full = block;
    }

    /** The accumulating tokens; only a partial block has any. */
    PartialTokenBlock accumulating(String operation) {
        PartialTokenBlock tokens = partial;
        if (tokens == null) {
            throw wrongState(operation, ContentState.PARTIAL);
        }
        return tokens;
    }

    void commit() {
        full = accumulating("commit").commit();
        partial = null;
        state = state.to(ContentState.COMPLETE);
    }

    TokenBlock complete() {
        TokenBlock block = full;
        if (block == null || state != ContentState.COMPLETE) {
            throw wrongState("be registered", ContentState.COMPLETE);
        }
        return block;
    }

    void registered() {
        state = state.to(ContentState.REGISTERED);
        full = null;
    }

    void reset() {
        if (state != ContentState.RESET) {
            state = state.to(ContentState.RESET);
        }
        partial = null;
        full = null;
    }

    long sequenceHash() {
        TokenBlock block = full;
        if (block == null) {
            throw wrongState("have a sequence hash", ContentState.COMPLETE);
        }
        return block.sequenceHash();
    }

    int length() {
        return switch (state) {
            case RESET -> 0;
            case PARTIAL -> accumulating("be measured").size();
            case COMPLETE, REGISTERED -> pageSize;
        };
    }

    int remaining() {
        return partial == null ? 0 : pageSize - length();
    }

    @Nullable
    Tokens tokens() {
        return partial != null ? partial.tokens() : full != null ? full.tokens() : null;
    }

    private void require(ContentState needed, String operation) {
        if (state != needed) {
            throw wrongState(operation, needed);
        }
    }

    private BlockException wrongState(String operation, ContentState needed) {
        return new BlockException(BlockException.Kind.STATE_INVALID, "A block that is " + state + " cannot " + operation
                + "; it has to be " + needed + (needed == ContentState.RESET ? ", so reset it first" : ""));
    }
}
