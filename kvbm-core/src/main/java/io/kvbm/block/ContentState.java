package io.kvbm.block;

import java.util.EnumSet;
import java.util.Set;

import io.kvbm.error.BlockException;

/**
 * What a block holds.
 *
 * <pre>
 *            initSequence           commit             register
 *   RESET ----------------> PARTIAL -------> COMPLETE ----------> REGISTERED
 *     |                        |             ^  |                     |
 *     |    applyTokenBlock     |             |  |                     |
 *     +------------------------|-------------+  |                     |
 *     <------------------------+----------------+---------------------+
 *                                 reset
 * </pre>
 */
public enum ContentState {
    /** No content. */
    RESET,
    /** Some tokens, at most as many as a page. */
    PARTIAL,
    /** A full page of tokens with its hashes; not yet findable. */
    COMPLETE,
    /** Findable under its identity; the tokens are no longer kept. */
    REGISTERED;

    /** The states that may follow this one, itself excluded. */
    public Set<ContentState> successors() {
        return switch (this) {
            case RESET -> EnumSet.of(PARTIAL, COMPLETE);
            case PARTIAL -> EnumSet.of(COMPLETE, RESET);
            case COMPLETE -> EnumSet.of(REGISTERED, RESET);
            case REGISTERED -> EnumSet.of(RESET);
        };
    }

    ContentState to(ContentState next) {
        if (!successors().contains(next)) {
            throw new BlockException(BlockException.Kind.STATE_INVALID,
                    "A block cannot go from " + this + " to " + next + "; from " + this + " it goes to "
                            + successors());
        }
        return next;
    }
}
