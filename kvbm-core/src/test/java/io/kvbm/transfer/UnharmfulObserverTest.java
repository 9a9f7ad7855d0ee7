package io.kvbm.transfer;

import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

class UnharmfulObserverTest {

    private static final TransferObserver.Way WAY = new TransferObserver.Way("take", "p2p", "host");

    static Stream<Throwable> failures() {
        return Stream.of(new IllegalStateException("broken"), new NoClassDefFoundError("gone"),
                new AssertionError("wrong"));
    }

    private static <E extends Throwable> void fail(Throwable failure) throws E {
        @SuppressWarnings("unchecked")
        E thrown = (E) failure;
        throw thrown;
    }

    private static TransferObserver failingAtTheBegin(Throwable failure) {
        return (_, _) -> {
            UnharmfulObserverTest.<RuntimeException>fail(failure);
            return (_, _) -> {};
        };
    }

    private static TransferObserver failingAtTheEnd(Throwable failure) {
        return (_, _) -> (_, _) -> UnharmfulObserverTest.<RuntimeException>fail(failure);
    }

    @ParameterizedTest
    @MethodSource("failures")
    void anObserverThatFailsAtTheBeginHarmsNoCopy(Throwable failure) {
        TransferObserver observer = failingAtTheBegin(failure).unharmful();
        assertThatCode(() -> observer.begins(WAY, 3).ended(3, null)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @MethodSource("failures")
    void anObserverThatFailsAtTheEndHarmsNoCopy(Throwable failure) {
        TransferObserver observer = failingAtTheEnd(failure).unharmful();
        assertThatCode(() -> observer.begins(WAY, 3).ended(3, null)).doesNotThrowAnyException();
    }

    @Test
    void aMachineOutOfMemoryIsNotTheObserversAffairAlone() {
        OutOfMemoryError failure = new OutOfMemoryError("heap");
        assertThatThrownBy(() -> failingAtTheBegin(failure).unharmful().begins(WAY, 3)).isSameAs(failure);
        assertThatThrownBy(() -> failingAtTheEnd(failure).unharmful().begins(WAY, 3).ended(3, null))
                .isSameAs(failure);
    }
}
