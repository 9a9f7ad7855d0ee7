package io.kvbm.storage;

/** Storage that libraries such as NIXL are told of. */
public interface RegistrableStorage extends Storage {

    /** What is registered over this memory; withdrawn before it goes. */
    Registrations registrations();
}
