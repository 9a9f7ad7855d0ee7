package io.kvbm;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;

import io.kvbm.event.EventDelivery;
import io.kvbm.event.EventListener;
import io.kvbm.event.KvEvent;
import io.kvbm.layout.LayoutType;

import static org.assertj.core.api.Assertions.assertThat;

/** What becomes of blocks of one tenant, or of all, that are to be found no more. */
class ClearTest {

    private final KvBlockManager manager = KvBlockManager.create(ToyModel.config(24, LayoutType.FULLY_CONTIGUOUS)
            .eventDelivery(EventDelivery.BY_HAND)
            .build());

    private static int[] tokens() {
        return IntStream.range(0, 17).toArray();
    }

    private void cache(String tenant) {
        try (KvSequence sequence = manager.open(tokens(), tenant)) {
            sequence.computed(17);
        }
    }

    private int found(String tenant) {
        try (KvSequence sequence = manager.open(tokens(), tenant)) {
            return sequence.reusedTokens();
        }
    }

    @Test
    void whatOneTenantHasIsFoundNoMoreAndWhatOthersHaveIs() {
        List<KvEvent> events = new ArrayList<>();
        try (manager) {
            cache("");
            cache("a");
            cache("b");
            manager.events().subscribe("test", new EventListener() {

                @Override
                public void onEvents(long first, List<KvEvent> batch) {
                    events.addAll(batch);
                }

                @Override
                public void onGap(long expected, long first) {
                    throw new AssertionError("No event is missed");
                }
            });
            assertThat(manager.clear("a")).isEqualTo(4);
            manager.events().deliver();
            assertThat(events).singleElement().satisfies(event -> {
                assertThat(event).isInstanceOf(KvEvent.Removed.class);
                assertThat(event.size()).isEqualTo(4);
            });
            assertThat(found("a")).isZero();
            assertThat(found("b")).isEqualTo(16);
            assertThat(found("")).isEqualTo(16);
            assertThat(manager.clear("nobody")).isZero();
            assertThat(manager.clear("")).isEqualTo(4);
            assertThat(found("")).isZero();
            assertThat(found("b")).isEqualTo(16);
        }
    }

    @Test
    void whatATenantHoldsStaysReadableAndIsFoundAgainOnlyWhereItIsComputedAnew() {
        try (manager) {
            cache("a");
            try (KvSequence held = manager.open(tokens(), "a")) {
                assertThat(held.reusedTokens()).isEqualTo(16);
                assertThat(manager.clear("a")).isEqualTo(4);
                assertThat(held.blocks()).hasSize(5);
                assertThat(found("a")).isZero();
            }
            assertThat(manager.pools().getFirst().stats().free()).isEqualTo(24);
            cache("a");
            assertThat(found("a")).isEqualTo(16);
        }
    }

    @Test
    void whatAllHaveIsFoundNoMore() {
        try (manager) {
            cache("a");
            cache("b");
            assertThat(manager.clear()).isEqualTo(8);
            assertThat(found("a") + found("b")).isZero();
        }
    }
}
