package io.kvbm.remote;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.RemoteException;

/** The errors for what another worker says and what cannot be taken over. */
final class Refusal {

    private Refusal() {}

    static RemoteException malformed(String what) {
        return malformed(what, null);
    }

    static RemoteException malformed(String what, @Nullable Throwable cause) {
        return new RemoteException(RemoteException.Kind.MALFORMED, what, cause);
    }

    static RemoteException tooMuch(String what, long value, long limit) {
        return new RemoteException(RemoteException.Kind.LIMIT,
                what + " is " + value + ", over the limit of " + limit + "; have the other worker export less");
    }

    /** Throws what the other worker has refused with, or that it has answered something else than that it is done. */
    static void requireDone(String who, PeerAnswer answer) {
        switch (answer) {
            case PeerAnswer.Done _ -> {
            }
            case PeerAnswer.Refused(RemoteException.Kind kind, String message) -> throw new RemoteException(kind,
                    who + " refused: " + message);
            default -> throw malformed(who + " gave an answer to another question");
        }
    }

    /** A piece of another worker's text, fit for an error message and a log. */
    static String quoted(String text) {
        return "'" + text.replaceAll("[^\\x20-\\x7e]", "?") + "'";
    }
}
