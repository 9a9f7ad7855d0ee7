package io.kvbm.pool;

import java.util.List;
import java.util.OptionalLong;

import io.kvbm.event.KvEvent.StoredBlock;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.TokenBlock;

/** What the blocks of one registration stand for, by their place in the request. */
sealed interface ContentNames {

    /** The slot that has this content already, or {@link ReuseOrder#NONE}. */
    int find(IdentityTable table, int i);

    /**
     * The slot of the block before this one in its sequence, or {@link ReuseOrder#NONE}.
     *
     * @param previous the slot of the block before this one in the request
     */
    int findParent(IdentityTable table, int i, int previous);

    /** Names the slot after the content. */
    void name(SlotTable slots, int slot, int parent, int i);

    /** The hash of the block before this one. */
    OptionalLong parentHash(int i);

    /** A run of blocks of one sequence. */
    record OfChain(IdentityChain chain, int from) implements ContentNames {

        @Override
        public int find(IdentityTable table, int i) {
            return table.find(chain, from + i);
        }

        @Override
        public int findParent(IdentityTable table, int i, int previous) {
            return i > 0 ? previous : from == 0 ? ReuseOrder.NONE : table.find(chain, from - 1);
        }

        @Override
        public void name(SlotTable slots, int slot, int parent, int i) {
            slots.name(slot, chain, from + i);
            slots.salt(slot, chain.saltHash());
        }

        @Override
        public OptionalLong parentHash(int i) {
            return from + i == 0 ? OptionalLong.empty() : OptionalLong.of(chain.sequenceHash(from + i - 1));
        }
    }

    /** Token blocks of any sequences. */
    record OfTokenBlocks(List<TokenBlock> blocks) implements ContentNames {

        @Override
        public int find(IdentityTable table, int i) {
            return table.find(blocks.get(i).sequenceHash());
        }

        @Override
        public int findParent(IdentityTable table, int i, int previous) {
            OptionalLong parent = blocks.get(i).parentSequenceHash();
            return parent.isEmpty() ? ReuseOrder.NONE : table.find(parent.getAsLong());
        }

        @Override
        public void name(SlotTable slots, int slot, int parent, int i) {
            int position = blocks.get(i).parentSequenceHash().isEmpty() ? 0
                    : parent == ReuseOrder.NONE || slots.position(parent) == StoredBlock.UNKNOWN_POSITION
                            ? StoredBlock.UNKNOWN_POSITION
                            : slots.position(parent) + 1;
            slots.name(slot, blocks.get(i).sequenceHash(), blocks.get(i).blockHash(), position);
            slots.salt(slot, blocks.get(i).saltHash());
        }

        @Override
        public OptionalLong parentHash(int i) {
            return blocks.get(i).parentSequenceHash();
        }
    }
}
