package io.kvbm.pool;

import java.util.Arrays;

import io.kvbm.block.BlockMetadata;
import io.kvbm.block.SlotBoard;
import io.kvbm.error.PoolException;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

/**
 * What a pool knows of each of its slots, in flat arrays indexed by slot. Guarded by the pool's lock.
 *
 * <p>
 * One word per slot says who owns it:
 *
 * <pre>
 *   63                    27 26                 3 2     0
 *  +------------------------+--------------------+-------+
 *  | generation (37)        | holders (24)       | state |
 *  +------------------------+--------------------+-------+
 * </pre>
 *
 * Holders are handles and pins. Every change of state goes through {@link #move}, which refuses what {@link SlotState}
 * does not draw.
 */
final class SlotTable {

    private static final int STATE_BITS = 3;
    private static final int HOLDER_BITS = 24;

    /** The number of handles and pins that one slot can have. */
    static final int MAX_HOLDERS = (1 << HOLDER_BITS) - 1;

    private static final long STATE_MASK = (1L << STATE_BITS) - 1;
    private static final long ONE_HOLDER = 1L << STATE_BITS;
    private static final long HOLDER_MASK = ((1L << HOLDER_BITS) - 1) << STATE_BITS;
    private static final int GENERATION_SHIFT = STATE_BITS + HOLDER_BITS;

    /** Bit {@code from * 8 + to} is set where that move is legal. */
    private static final long LEGAL = legalMoves();

    private final int words;
    private final long[] state;
    private final long[] identities;
    private final long[] sequenceHashes;
    private final long[] blockHashes;
    private final long[] saltHashes;
    private final long[] returnedTicks;
    private final long[] acquiredTicks;
    private final int[] positions;
    private final int[] priorities;

    SlotTable(int slots, IdentityKind kind) {
        this.words = kind.words();
        this.state = new long[slots];
        this.identities = new long[Math.multiplyExact(slots, words)];
        this.sequenceHashes = new long[slots];
        this.blockHashes = new long[slots];
        this.saltHashes = new long[slots];
        this.returnedTicks = new long[slots];
        this.acquiredTicks = new long[slots];
        this.positions = new int[slots];
        this.priorities = new int[slots];
    }

    int size() {
        return state.length;
    }

    SlotState state(int slot) {
        return SlotState.of((int) (state[slot] & STATE_MASK));
    }

    boolean is(int slot, SlotState expected) {
        return (state[slot] & STATE_MASK) == expected.code();
    }

    /** Changes the owner; content that goes starts the next generation. */
    void move(int slot, SlotState to) {
        state[slot] = moved(slot, state[slot], to);
    }

    private static long moved(int slot, long word, SlotState to) {
        int from = (int) (word & STATE_MASK);
        if ((LEGAL >>> (from * 8 + to.code()) & 1) == 0) {
            throw new IllegalStateException("Slot " + slot + " cannot go from " + SlotState.of(from) + " to " + to);
        }
        long moved = (word & ~STATE_MASK) | to.code();
        return SlotState.of(from).isGenerationLeftTo(to) ? moved + (1L << GENERATION_SHIFT) : moved;
    }

    /** Gives a free slot to the one holder that fills it. */
    void own(int slot, long tick) {
        state[slot] = moved(slot, state[slot], SlotState.OWNED) + ONE_HOLDER;
        acquiredTicks[slot] = tick;
        priorities[slot] = 0;
    }

    int holders(int slot) {
        return (int) ((state[slot] & HOLDER_MASK) >>> STATE_BITS);
    }

    void hold(int slot) {
        long word = state[slot];
        if ((word & HOLDER_MASK) == HOLDER_MASK) {
            throw tooManyHolders(slot);
        }
        state[slot] = word + ONE_HOLDER;
    }

    private static PoolException tooManyHolders(int slot) {
        return new PoolException(PoolException.Kind.TOO_MANY_HOLDERS, "Block " + slot + " has as many of the "
                + MAX_HOLDERS + " holders it may have as leaves no room for these; close handles first");
    }

    /**
     * Holds all these slots, or none. Loops that do nothing else let the processor fetch many slots at once, which lie far
     * apart.
     */
    void holdAll(int[] held) {
        for (int slot : held) {
            if ((state[slot] & HOLDER_MASK) >= HOLDER_MASK - (long) held.length * ONE_HOLDER) {
                throw tooManyHolders(slot);
            }
        }
        for (int slot : held) {
            state[slot] += ONE_HOLDER;
        }
    }

    /**
     * Ends one hold; with the last one the slot goes to where its content belongs.
     *
     * @return whether it was the last
     */
    boolean drop(int slot, long tick) {
        long word = state[slot];
        if ((word & HOLDER_MASK) == 0) {
            throw new IllegalStateException("Slot " + slot + " is given back more often than it was held");
        }
        word -= ONE_HOLDER;
        if ((word & HOLDER_MASK) != 0) {
            state[slot] = word;
            return false;
        }
        state[slot] = moved(slot, word, SlotState.of((int) (word & STATE_MASK)).unheld());
        returnedTicks[slot] = tick;
        return true;
    }

    long generation(int slot) {
        return state[slot] >>> GENERATION_SHIFT;
    }

    /** Names the content of a slot after one block of a chain. */
    void name(int slot, IdentityChain chain, int block) {
        int at = slot * words;
        for (int w = 0; w < words; w++) {
            identities[at + w] = chain.word(block, w);
        }
        sequenceHashes[slot] = chain.sequenceHash(block);
        blockHashes[slot] = chain.blockHash(block);
        positions[slot] = block;
    }

    /** Names the content of a slot by its 64-bit hashes alone. */
    void name(int slot, long sequenceHash, long blockHash, int position) {
        identities[slot] = sequenceHash;
        sequenceHashes[slot] = sequenceHash;
        blockHashes[slot] = blockHash;
        positions[slot] = position;
    }

    /** Says whose the content of a slot is. */
    void salt(int slot, long saltHash) {
        saltHashes[slot] = saltHash;
    }

    long saltHash(int slot) {
        return saltHashes[slot];
    }

    boolean isNamed(int slot, IdentityChain chain, int block) {
        int at = slot * words;
        for (int w = 0; w < words; w++) {
            if (identities[at + w] != chain.word(block, w)) {
                return false;
            }
        }
        return true;
    }

    /** Whether its content has the identity of which the words stand in an array from a place on. */
    boolean isNamed(int slot, long[] names, int at) {
        return Arrays.equals(identities, slot * words, (slot + 1) * words, names, at, at + words);
    }

    boolean isNamed(int slot, long sequenceHash) {
        return identities[slot] == sequenceHash;
    }

    /** The first word of the identity, by which the slot is found. */
    long probe(int slot) {
        return identities[slot * words];
    }

    /** Shows the identity of a registered slot to other processes. */
    void publish(int slot, SlotBoard board) {
        board.publish(slot, generation(slot), identities, slot * words, words);
    }

    long sequenceHash(int slot) {
        return sequenceHashes[slot];
    }

    long blockHash(int slot) {
        return blockHashes[slot];
    }

    int position(int slot) {
        return positions[slot];
    }

    BlockMetadata metadata(int slot) {
        return new BlockMetadata(priorities[slot], returnedTicks[slot], acquiredTicks[slot]);
    }

    void priority(int slot, int priority) {
        priorities[slot] = priority;
    }

    private static long legalMoves() {
        long legal = 0;
        for (SlotState from : SlotState.values()) {
            for (SlotState to : from.successors()) {
                legal |= 1L << (from.code() * 8 + to.code());
            }
        }
        return legal;
    }
}
