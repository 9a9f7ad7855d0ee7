package io.kvbm.pool;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import io.kvbm.error.PoolException;
import io.kvbm.token.IdentityChain;
import io.kvbm.token.IdentityKind;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

class SlotTableTest {

    @ParameterizedTest
    @DisplayName("every pair of slot states is a legal move or refused, and content that goes starts a generation")
    @CsvSource({
        // from, then: legal to FREE, OWNED, ACTIVE, INACTIVE, UNLISTED
        "FREE,     false, true,  false, false, false", //
        "OWNED,    true,  false, true,  false, false", //
        "ACTIVE,   false, false, false, true,  true", //
        "INACTIVE, true,  false, true,  false, false", //
        "UNLISTED, true,  false, false, false, false"})
    void transitionSquare(SlotState from, boolean free, boolean owned, boolean active, boolean inactive,
            boolean unlisted) {
        boolean[] legal = {free, owned, active, inactive, unlisted};
        for (SlotState to : SlotState.values()) {
            SlotTable slots = in(from);
            long generation = slots.generation(0);
            assertThat(from.successors().contains(to)).as("%s to %s", from, to).isEqualTo(legal[to.code()]);
            if (legal[to.code()]) {
                slots.move(0, to);
                assertThat(slots.state(0)).isEqualTo(to);
                assertThat(slots.is(0, to)).isTrue();
                boolean leaves = (from.registered() && !to.registered()) || from == SlotState.UNLISTED;
                assertThat(slots.generation(0) - generation).isEqualTo(leaves ? 1 : 0);
            } else {
                assertThatIllegalStateException().isThrownBy(() -> slots.move(0, to))
                        .withMessageContaining(from + " to " + to);
                assertThat(slots.state(0)).isEqualTo(from);
            }
        }
    }

    private static SlotTable in(SlotState state) {
        SlotTable slots = new SlotTable(1, IdentityKind.XXH3);
        switch (state) {
            case FREE -> {
            }
            case OWNED -> slots.move(0, SlotState.OWNED);
            case ACTIVE -> {
                slots.move(0, SlotState.OWNED);
                slots.move(0, SlotState.ACTIVE);
            }
            case INACTIVE, UNLISTED -> {
                slots.move(0, SlotState.OWNED);
                slots.move(0, SlotState.ACTIVE);
                slots.move(0, state);
            }
        }
        return slots;
    }

    @Test
    void holdersAreCountedUpToTheirLimitWithoutTouchingStateAndGeneration() {
        SlotTable slots = in(SlotState.INACTIVE);
        slots.move(0, SlotState.FREE);
        slots.move(0, SlotState.OWNED);
        assertThat(slots.generation(0)).isEqualTo(1);
        for (int i = 0; i < SlotTable.MAX_HOLDERS; i++) {
            slots.hold(0);
        }
        assertThat(slots.holders(0)).isEqualTo(SlotTable.MAX_HOLDERS);
        assertThatExceptionOfType(PoolException.class).isThrownBy(() -> slots.hold(0))
                .extracting(PoolException::kind)
                .isEqualTo(PoolException.Kind.TOO_MANY_HOLDERS);
        assertThat(slots.state(0)).isEqualTo(SlotState.OWNED);
        assertThat(slots.generation(0)).isEqualTo(1);
        for (int i = 1; i < SlotTable.MAX_HOLDERS; i++) {
            if (slots.drop(0, 1)) {
                throw new AssertionError("drop " + i + " was no last one");
            }
        }
        assertThat(slots.drop(0, 1)).isTrue();
        assertThatIllegalStateException().isThrownBy(() -> slots.drop(0, 1));
    }

    @ParameterizedTest
    @EnumSource
    void slotIsNamedAfterAllWordsOfItsIdentity(IdentityKind kind) {
        SlotTable slots = new SlotTable(3, kind);
        IdentityChain chain = Content.chain(kind, 0, 3);
        for (int block = 0; block < 3; block++) {
            slots.name(2 - block, chain, block);
        }
        for (int block = 0; block < 3; block++) {
            for (int slot = 0; slot < 3; slot++) {
                assertThat(slots.isNamed(slot, chain, block)).isEqualTo(slot == 2 - block);
            }
            assertThat(slots.probe(2 - block)).isEqualTo(chain.probe(block));
            assertThat(slots.sequenceHash(2 - block)).isEqualTo(chain.sequenceHash(block));
            assertThat(slots.blockHash(2 - block)).isEqualTo(chain.blockHash(block));
            assertThat(slots.position(2 - block)).isEqualTo(block);
        }
    }
}
