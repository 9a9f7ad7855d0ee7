package io.kvbm.pool;

/**
 * The order in which registered blocks that nobody holds are reused. Slots are told to it under the pool's lock.
 *
 * <pre>
 *   registered(s, parent) --> [held] --inactive(s)--> [idle] --evict() = s--> gone
 *                               ^                       |
 *                               +-------active(s)-------+
 *                             unregistered(s) leaves from held
 * </pre>
 */
interface ReuseOrder {

    /** No slot. */
    int NONE = -1;

    /** The slot became registered while held; {@code parent} is the slot of the block before it, or {@link #NONE}. */
    void registered(int slot, int parent);

    /** Nobody holds the slot any more. */
    void inactive(int slot);

    /** An inactive slot is held again. */
    void active(int slot);

    /** Takes the next slot to reuse out of the order; {@link #NONE} when no slot is inactive. */
    int evict();

    /** A held slot lost its registration. */
    void unregistered(int slot);
}
