package io.kvbm.remote;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

import io.kvbm.error.RemoteException;
import io.kvbm.error.TransferException;

import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/** What must be refused, and why. */
final class Refused {

    private Refused() {}

    static void with(RemoteException.Kind kind, ThrowingCallable call) {
        assertThatExceptionOfType(RemoteException.class).isThrownBy(call)
                .extracting(RemoteException::kind)
                .isEqualTo(kind);
    }

    static void with(TransferException.Kind kind, ThrowingCallable call) {
        assertThatExceptionOfType(TransferException.class).isThrownBy(call)
                .extracting(TransferException::kind)
                .isEqualTo(kind);
    }
}
