package io.kvbm.pool;

import java.util.EnumSet;
import java.util.Set;

/**
 * Who owns a slot.
 *
 * <pre>
 *            allocate            register             last hold
 *   FREE ---------------> OWNED ----------> ACTIVE ------------> INACTIVE
 *    ^  ^                   |               |    ^                 |  |
 *    |  +---last hold-------+               |    +------match------+  |
 *    |                                clear |                         |
 *    +-----last hold------- UNLISTED <------+                         |
 *    +-------------------evict, clear---------------------------------+
 * </pre>
 *
 * The generation of a slot rises when it leaves the registered states ACTIVE and INACTIVE, so before its memory can be
 * written again, and once more with the last hold on unlisted content, whose handles tell the generation it was given
 * when it was unlisted: no content that is registered later has that one.
 */
enum SlotState {
    /** Nobody's; no content. */
    FREE(0),
    /** One holder fills it. */
    OWNED(1),
    /** Registered and held. */
    ACTIVE(2),
    /** Registered and held by nobody. */
    INACTIVE(3),
    /** Held, but no longer registered. */
    UNLISTED(4);

    private static final SlotState[] BY_CODE = {FREE, OWNED, ACTIVE, INACTIVE, UNLISTED};

    private final int code;

    SlotState(int code) {
        this.code = code;
    }

    static SlotState of(int code) {
        return BY_CODE[code];
    }

    /** The state's bits in the word of a slot. */
    int code() {
        return code;
    }

    Set<SlotState> successors() {
        return switch (this) {
            case FREE -> EnumSet.of(OWNED);
            case OWNED -> EnumSet.of(FREE, ACTIVE);
            case ACTIVE -> EnumSet.of(INACTIVE, UNLISTED);
            case INACTIVE -> EnumSet.of(ACTIVE, FREE);
            case UNLISTED -> EnumSet.of(FREE);
        };
    }

    /** Where a slot goes with its last hold. */
    SlotState unheld() {
        return this == ACTIVE ? INACTIVE : FREE;
    }

    boolean registered() {
        return this == ACTIVE || this == INACTIVE;
    }

    /** Whether a slot that goes from this state to another starts its next generation. */
    boolean isGenerationLeftTo(SlotState to) {
        return this == UNLISTED || (registered() && !to.registered());
    }
}
