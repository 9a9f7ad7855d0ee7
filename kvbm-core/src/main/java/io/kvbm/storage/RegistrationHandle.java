package io.kvbm.storage;

/** What a library has made known about a storage, such as a NIXL registration. */
@FunctionalInterface
public interface RegistrationHandle {

    /** Withdraws it; called once, before the memory goes. */
    void release();
}
