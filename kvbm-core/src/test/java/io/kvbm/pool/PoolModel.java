package io.kvbm.pool;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.LongUnaryOperator;
import java.util.function.Predicate;

import org.jspecify.annotations.Nullable;

import io.kvbm.event.KvEvent;
import io.kvbm.event.KvEvent.RemovedBlock;
import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.storage.CacheLevel;
import io.kvbm.token.TokenBlock;

import static org.assertj.core.api.Assertions.assertThat;

/** What a pool has to do, said with plain collections and searches over all slots. */
final class PoolModel {

    private static final Comparator<Slot> LEAST_RECENTLY_RETURNED = Comparator.comparingLong(slot -> slot.returned);
    private static final Comparator<Slot> PRIORITY = Comparator
            .<Slot, Integer>comparing(slot -> slot.priority, Integer::compareUnsigned)
            .thenComparing(LEAST_RECENTLY_RETURNED)
            .thenComparing(slot -> slot.named().hash(), Long::compareUnsigned);

    final List<KvEvent> events = new ArrayList<>();
    private final ReusePolicy policy;
    private final LongUnaryOperator identity;
    private final List<Slot> slots = new ArrayList<>();
    private final ArrayDeque<Slot> free = new ArrayDeque<>();
    private final Map<Long, Slot> table = new HashMap<>();
    private long tick;
    long allocations;
    long evictions;
    long registrations;
    long duplicates;

    /** @param identity from sequence hash to the first 64 bits of the identity */
    PoolModel(int size, ReusePolicy policy, LongUnaryOperator identity) {
        this.policy = policy;
        this.identity = identity;
        for (int i = 0; i < size; i++) {
            slots.add(new Slot(i));
        }
        free.addAll(slots);
    }

    /** One registration of a content; a child refers to that of its parent, not to the slot. */
    private record Registration(long hash, long blockHash, @Nullable Registration parent, int position) {

        @Override
        public boolean equals(@Nullable Object other) {
            return this == other;
        }

        @Override
        public int hashCode() {
            return System.identityHashCode(this);
        }
    }

    private static final class Slot {

        final int index;
        SlotState state = SlotState.FREE;
        int holders;
        int priority;
        long returned;
        long generation;
        @Nullable
        Registration name;

        Slot(int index) {
            this.index = index;
        }

        Registration named() {
            Registration registration = name;
            if (registration == null) {
                throw new AssertionError("slot " + index + " has no name");
            }
            return registration;
        }
    }

    int available() {
        return free.size() + count(SlotState.INACTIVE);
    }

    int count(SlotState state) {
        return (int) slots.stream().filter(slot -> slot.state == state).count();
    }

    long holders() {
        return slots.stream().mapToLong(slot -> slot.holders).sum();
    }

    SlotState state(int slot) {
        return slots.get(slot).state;
    }

    long generation(int slot) {
        return slots.get(slot).generation;
    }

    /** The pool has handed out these slots; each has to be one that it may. */
    void allocated(List<Integer> taken) {
        List<RemovedBlock> removed = new ArrayList<>();
        for (int index : taken) {
            Slot slot = slots.get(index);
            if (!free.isEmpty()) {
                assertThat(index).as("the slot that is free for longest").isEqualTo(free.remove().index);
            } else {
                assertThat(victims()).as("the slots to be reused first").contains(slot);
                removed.add(new RemovedBlock(slot.named().hash(), index));
                unregister(slot, SlotState.FREE);
                evictions++;
            }
            slot.state = SlotState.OWNED;
            slot.holders = 1;
            slot.priority = 0;
            tick++;
            allocations++;
        }
        if (!removed.isEmpty()) {
            events.add(new KvEvent.Removed(CacheLevel.G2, removed));
        }
    }

    private List<Slot> victims() {
        List<Slot> inactive = slots.stream().filter(slot -> slot.state == SlotState.INACTIVE).toList();
        if (policy == ReusePolicy.PRIORITY) {
            return inactive.stream().min(PRIORITY).stream().toList();
        }
        List<Slot> leaves = inactive.stream().filter(slot -> !hasChild(slot, _ -> true)).toList();
        return leaves.isEmpty()
                ? inactive.stream().filter(slot -> !hasChild(slot, c -> c.state == SlotState.INACTIVE)).toList()
                : leaves.stream().min(LEAST_RECENTLY_RETURNED).stream().toList();
    }

    private boolean hasChild(Slot parent, Predicate<Slot> kind) {
        return table.values()
                .stream()
                .anyMatch(slot -> parent.named().equals(slot.named().parent()) && kind.test(slot));
    }

    private void unregister(Slot slot, SlotState next) {
        table.remove(slot.named().hash());
        slot.name = null;
        slot.state = next;
        slot.generation++;
    }

    /** Registers the content of these owned slots and says which slots hold it afterwards. */
    List<Integer> registered(List<Integer> given, List<TokenBlock> contents, boolean chain, int from) {
        List<Integer> result = new ArrayList<>();
        List<StoredBlock> stored = new ArrayList<>();
        for (int i = 0; i < given.size(); i++) {
            Slot slot = slots.get(given.get(i));
            TokenBlock content = contents.get(i);
            Slot present = table.get(content.sequenceHash());
            if (present != null) {
                hold(present.index);
                letGo(slot.index);
                duplicates++;
                result.add(present.index);
                continue;
            }
            OptionalLong parentHash = content.parentSequenceHash();
            Slot parent = parentHash.isPresent() ? table.get(parentHash.getAsLong()) : null;
            int position = chain ? from + i
                    : parentHash.isEmpty() ? 0
                            : parent == null || parent.named().position() < 0 ? -1 : parent.named().position() + 1;
            slot.name = new Registration(content.sequenceHash(), content.blockHash(),
                    parent == null ? null : parent.name, position);
            slot.state = SlotState.ACTIVE;
            table.put(content.sequenceHash(), slot);
            stored.add(new StoredBlock(content.sequenceHash(), content.blockHash(), parentHash, position,
                    identity.applyAsLong(content.sequenceHash()), slot.index, slot.generation));
            registrations++;
            result.add(slot.index);
        }
        if (!stored.isEmpty()) {
            events.add(new KvEvent.Stored(CacheLevel.G2, 4, stored));
        }
        return result;
    }

    /** The slots of the longest prefix, each of which is held once more. */
    List<Integer> matched(List<TokenBlock> contents) {
        List<Integer> found = new ArrayList<>();
        for (TokenBlock content : contents) {
            Slot slot = table.get(content.sequenceHash());
            if (slot == null) {
                break;
            }
            found.add(slot.index);
        }
        found.forEach(this::hold);
        return found;
    }

    void hold(int index) {
        Slot slot = slots.get(index);
        slot.holders++;
        if (slot.state == SlotState.INACTIVE) {
            slot.state = SlotState.ACTIVE;
        }
    }

    void letGo(int index) {
        Slot slot = slots.get(index);
        slot.holders--;
        if (slot.holders == 0) {
            slot.returned = ++tick;
            slot.generation += slot.state == SlotState.UNLISTED ? 1 : 0;
            slot.state = slot.state == SlotState.ACTIVE ? SlotState.INACTIVE : SlotState.FREE;
            if (slot.state == SlotState.FREE) {
                slot.name = null;
                free.add(slot);
            }
        }
    }

    void priority(int index, int priority) {
        slots.get(index).priority = priority;
    }

    int clear() {
        int cleared = table.size();
        for (Slot slot : slots) {
            if (slot.state == SlotState.INACTIVE) {
                unregister(slot, SlotState.FREE);
                free.add(slot);
            } else if (slot.state == SlotState.ACTIVE) {
                unregister(slot, SlotState.UNLISTED);
            }
        }
        events.add(new KvEvent.Cleared(CacheLevel.G2));
        return cleared;
    }

    List<Integer> freeSlots() {
        return free.stream().map(slot -> slot.index).toList();
    }
}
