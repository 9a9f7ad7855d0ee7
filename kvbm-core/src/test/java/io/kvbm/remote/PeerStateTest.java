package io.kvbm.remote;

import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import static io.kvbm.remote.PeerState.DRAINING;
import static io.kvbm.remote.PeerState.GONE;
import static io.kvbm.remote.PeerState.LINGER;
import static io.kvbm.remote.PeerState.LIVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class PeerStateTest {

    private static final Map<PeerState, Set<PeerState>> LEGAL = Map.of(LIVE, Set.of(DRAINING, GONE), DRAINING,
            Set.of(LIVE, LINGER, GONE), LINGER, Set.of(LIVE, GONE), GONE, Set.of());

    static Stream<Arguments> transitions() {
        return Stream.of(PeerState.values())
                .flatMap(from -> Stream.of(PeerState.values()).map(to -> Arguments.of(from, to)));
    }

    @ParameterizedTest
    @MethodSource("transitions")
    void onlyTheTransitionsOfTheDrawingAreMade(PeerState from, PeerState to) {
        if (LEGAL.getOrDefault(from, Set.of()).contains(to)) {
            assertThat(from.to(to)).isEqualTo(to);
        } else {
            assertThatExceptionOfType(IllegalStateException.class).isThrownBy(() -> from.to(to))
                    .withMessage("A peer cannot go from " + from + " to " + to);
        }
    }
}
