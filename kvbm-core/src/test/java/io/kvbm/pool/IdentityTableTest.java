package io.kvbm.pool;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.kvbm.testing.RandomCase;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

class IdentityTableTest {

    /** Identities that differ in few bits meet in long runs, also around the end of the table, and share tags. */
    @ParameterizedTest
    @ValueSource(longs = {-1L, 0xFFFF_FFFF_0000_0003L, 0x7L, 0xF800_0000_0000_0000L, 0xFF00_0000_0000_0001L})
    void tableAgreesWithAMapUnderCrowdedIdentities(long usedBits) {
        Random random = RandomCase.random("IdentityTableTest " + Long.toHexString(usedBits));
        int size = 24;
        SlotTable slots = new SlotTable(size, IdentityKind.XXH3);
        IdentityTable table = new IdentityTable(slots);
        Map<Long, Integer> model = new HashMap<>();
        Map<Integer, Long> hashes = new HashMap<>();
        for (int step = 0; step < 20_000; step++) {
            int slot = random.nextInt(size);
            long hash = random.nextLong() & usedBits;
            if (hashes.containsKey(slot)) {
                table.remove(slot);
                model.remove(hashes.remove(slot));
            } else if (!model.containsKey(hash)) {
                slots.name(slot, hash, 0, 0);
                table.add(slot);
                model.put(hash, slot);
                hashes.put(slot, hash);
            }
            assertThat(table.size()).isEqualTo(model.size());
            model.forEach((known, at) -> assertThat(table.find(known)).isEqualTo(at));
            assertThat(table.find(hash)).isEqualTo(model.getOrDefault(hash, ReuseOrder.NONE));
        }
    }

    @Test
    void wideIdentitiesAreFoundUntilTheyAreRemoved() {
        SlotTable slots = new SlotTable(4, IdentityKind.SHA256);
        IdentityTable table = new IdentityTable(slots);
        IdentityChain chain = Content.chain(IdentityKind.SHA256, 0, 2);
        slots.name(0, chain, 0);
        table.add(0);
        slots.name(1, chain, 1);
        table.add(1);
        assertThat(table.find(chain, 0)).isZero();
        assertThat(table.find(chain, 1)).isEqualTo(1);
        table.remove(0);
        assertThat(table.find(chain, 0)).isEqualTo(ReuseOrder.NONE);
        assertThat(table.find(chain, 1)).isEqualTo(1);
        assertThatIllegalStateException().isThrownBy(() -> table.remove(0));
    }

    @Test
    void tableIsAtMostHalfFull() {
        for (int size : new int[]{1, 2, 3, 7, 8, 9, 15, 16, 17, 1000, 1024, 1025}) {
            IdentityTable table = new IdentityTable(new SlotTable(size, IdentityKind.XXH3));
            assertThat(table.entries.length).isBetween(2 * size, Math.max(16, 4 * size));
        }
    }
}
