package io.kvbm.storage;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

import io.kvbm.error.FirstFailure;
import io.kvbm.error.StorageException;

/**
 * The registrations of one storage by key. They are withdrawn, last first, before the memory goes; one that fails does
 * not keep the others.
 */
public final class Registrations {

    private final Map<String, RegistrationHandle> handles = new LinkedHashMap<>();
    private boolean released;

    /** Nothing is registered yet. */
    public Registrations() {}

    /**
     * Registers the storage under a key that is free.
     *
     * @param registration makes the registration; it is not called where the key is taken
     * @throws StorageException {@code REGISTRATION_KEY_EXISTS}, or {@code OPERATION_FAILED} after the storage was closed
     */
    public synchronized void register(String key, Supplier<? extends RegistrationHandle> registration) {
        if (released) {
            throw new StorageException(StorageException.Kind.OPERATION_FAILED,
                    "The storage is closed; register " + key + " before");
        }
        if (handles.containsKey(key)) {
            throw new StorageException(StorageException.Kind.REGISTRATION_KEY_EXISTS,
                    "The storage is registered under " + key + " already; register it once");
        }
        handles.put(key, registration.get());
    }

    /** Whether there is a registration under this key. */
    public synchronized boolean isRegistered(String key) {
        return handles.containsKey(key);
    }

    /**
     * The registration under a key.
     *
     * @throws StorageException {@code HANDLE_NOT_FOUND}
     */
    public synchronized RegistrationHandle handle(String key) {
        RegistrationHandle handle = handles.get(key);
        if (handle == null) {
            throw new StorageException(StorageException.Kind.HANDLE_NOT_FOUND,
                    "The storage is not registered under " + key + "; register it first");
        }
        return handle;
    }

    /** Withdraws all; the first failure is thrown with the others attached, after all were tried. */
    public synchronized void releaseAll() {
        released = true;
        List<RegistrationHandle> due = new ArrayList<>(handles.values()).reversed();
        handles.clear();
        FirstFailure failure = new FirstFailure();
        due.forEach(handle -> failure.attempt(handle::release));
        failure.rethrow();
    }
}
