package io.kvbm.storage;

import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

import io.kvbm.error.StorageException;

/** The end of native memory: a native call that was given it, such as a copy, keeps its arena from closing. */
final class NativeUse {

    private static final int TRIES = 200;
    private static final Duration PAUSE = Duration.ofMillis(10);

    private NativeUse() {}

    /** Closes an arena as soon as no native call uses it; {@code OPERATION_FAILED} where one still does after 2 s. */
    static void awaitEndAndClose(Arena arena, long bytes) {
        for (int tries = 1;; tries++) {
            try {
                arena.close();
                return;
            } catch (IllegalStateException e) {
                if (tries == TRIES) {
                    throw new StorageException(StorageException.Kind.OPERATION_FAILED,
                            "A native call still uses host memory of " + bytes + " bytes after "
                                    + TRIES * PAUSE.toMillis() + " ms; end it and close again",
                            e);
                }
                LockSupport.parkNanos(PAUSE.toNanos());
            }
        }
    }
}
