package io.kvbm.pool;

import java.util.Arrays;
import java.util.function.IntPredicate;

import org.jspecify.annotations.Nullable;

import io.kvbm.block.SlotBoard;

/**
 * The book of a pool: which slots are free, filled, held and idle, under which identities they are found, in which
 * order they are reused, and how many there are of each. What of it other processes may know stands on the board. It
 * knows neither handles nor events nor waiting. Guarded by the pool's lock.
 */
final class SlotLedger {

    final SlotTable slots;
    final IdentityTable table;
    final FreeRing free;
    final ReuseOrder order;

    private final @Nullable SlotBoard board;
    private int attainable;
    private int usable;
    private int inactive;
    private int active;
    private int owned;
    private int unlisted;
    private long holders;
    private long tick;

    SlotLedger(SlotTable slots, ReuseOrder order, @Nullable SlotBoard board) {
        this.slots = slots;
        this.table = new IdentityTable(slots);
        this.free = new FreeRing(slots.size());
        this.order = order;
        this.board = board;
        this.attainable = slots.size();
    }

    /** The slots below this one have memory. */
    void reserved(int slotCount) {
        while (usable < slotCount) {
            free.add(usable++);
        }
    }

    /** No more slots will get memory. */
    void refused() {
        attainable = usable;
    }

    // ---------------------------------------------------------------------------------------------- moves

    /** Takes a slot that has no content out of the free ones; {@link ReuseOrder#NONE} where there is none. */
    int takeFree() {
        return free.poll();
    }

    /** Takes the next slot to reuse and unlists what it held, whose names stay until the slot is named again. */
    int evict() {
        int slot = order.evict();
        table.remove(slot);
        leave(slot, SlotState.FREE);
        inactive--;
        return slot;
    }

    /** Gives a slot taken out of the free ones, or evicted, to one holder that fills it. */
    void own(int slot) {
        slots.own(slot, ++tick);
        owned++;
        holders++;
    }

    /** Lists a filled slot under the name it was given; its hold goes on. */
    void register(int slot, int parent) {
        table.add(slot);
        slots.move(slot, SlotState.ACTIVE);
        order.registered(slot, parent);
        owned--;
        active++;
        if (board != null) {
            slots.publish(slot, board);
        }
    }

    /** The content of a registered slot is found no more. */
    private void leave(int slot, SlotState to) {
        slots.move(slot, to);
        if (board != null) {
            board.withdraw(slot, slots.generation(slot));
        }
    }

    /** Another hold on a registered slot, which may be idle. */
    void activate(int slot) {
        if (slots.is(slot, SlotState.INACTIVE)) {
            order.active(slot);
            slots.move(slot, SlotState.ACTIVE);
            inactive--;
            active++;
        }
        hold(slot);
    }

    /** Another hold on a slot that is held. */
    void hold(int slot) {
        slots.hold(slot);
        holders++;
    }

    /** Another hold on each of these slots, which are held, or on none. */
    void holdAll(int[] held) {
        slots.holdAll(held);
        holders += held.length;
    }

    /** Ends one hold; with the last one the slot goes to where its content belongs. */
    void letGo(int slot) {
        SlotState held = slots.state(slot);
        boolean last = slots.drop(slot, tick + 1);
        holders--;
        if (!last) {
            return;
        }
        tick++;
        if (held == SlotState.ACTIVE) {
            active--;
            inactive++;
            order.inactive(slot);
        } else {
            if (held == SlotState.OWNED) {
                owned--;
            } else {
                unlisted--;
            }
            free.add(slot);
        }
    }

    /**
     * Unlists the registered slots from one to below another that fit, and says which ones; those that are held become
     * free with their last hold.
     */
    int[] unlist(int from, int to, IntPredicate which) {
        int[] gone = new int[Math.min(table.size(), to - from)];
        int n = 0;
        for (int slot = from; slot < to; slot++) {
            if (slots.state(slot).registered() && which.test(slot)) {
                unlist(slot);
                gone[n++] = slot;
            }
        }
        return Arrays.copyOf(gone, n);
    }

    private void unlist(int slot) {
        table.remove(slot);
        if (slots.is(slot, SlotState.INACTIVE)) {
            order.active(slot);
            order.unregistered(slot);
            leave(slot, SlotState.FREE);
            inactive--;
            free.add(slot);
        } else {
            order.unregistered(slot);
            leave(slot, SlotState.UNLISTED);
            active--;
            unlisted++;
        }
    }

    /** Unlists and frees every idle slot, and says which ones. */
    int[] dropIdle() {
        int[] dropped = new int[inactive];
        for (int i = 0; i < dropped.length; i++) {
            dropped[i] = evict();
            free.add(dropped[i]);
        }
        return dropped;
    }

    // ---------------------------------------------------------------------------------------------- counts

    int size() {
        return slots.size();
    }

    /** The number of slots that will ever have memory, as far as is known. */
    int attainable() {
        return attainable;
    }

    int usable() {
        return usable;
    }

    /** The number of slots that could be filled now. */
    int available() {
        return free.size() + inactive;
    }

    int inactive() {
        return inactive;
    }

    int active() {
        return active;
    }

    int owned() {
        return owned;
    }

    int unlisted() {
        return unlisted;
    }

    /** The number of holds in all. */
    long holders() {
        return holders;
    }
}
