package io.kvbm.remote;

import java.util.EnumSet;
import java.util.Set;

/**
 * How far a peer can be relied on.
 *
 * <pre>
 *            leaves, or is      nothing runs       some time
 *            not listed         any more           has passed
 *   LIVE ----------------> DRAINING ------> LINGER ----------> GONE
 *    ^                        |               |
 *    +----- is back ----------+---------------+
 * </pre>
 */
public enum PeerState {
    /** It is asked for blocks. */
    LIVE,
    /** It is asked for nothing new; what runs may end. */
    DRAINING,
    /** Nothing runs; its memory stays mapped for a while, as it may come back. */
    LINGER,
    /** Everything of it was let go. */
    GONE;

    private Set<PeerState> successors() {
        return switch (this) {
            case LIVE -> EnumSet.of(DRAINING, GONE);
            case DRAINING -> EnumSet.of(LIVE, LINGER, GONE);
            case LINGER -> EnumSet.of(LIVE, GONE);
            case GONE -> EnumSet.noneOf(PeerState.class);
        };
    }

    PeerState to(PeerState next) {
        if (!successors().contains(next)) {
            throw new IllegalStateException("A peer cannot go from " + this + " to " + next);
        }
        return next;
    }
}
