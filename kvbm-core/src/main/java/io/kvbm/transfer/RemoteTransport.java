package io.kvbm.transfer;

import io.kvbm.storage.Storage;

/**
 * Moves bytes between this worker's memory and that of workers on other hosts, without those doing anything for it. Safe
 * for use by several threads.
 */
public interface RemoteTransport extends AutoCloseable {

    /**
     * Makes memory known, so that transfers may use it and others reach it. It is withdrawn before the storage frees it.
     *
     * @throws io.kvbm.error.StorageException {@code REGISTRATION_KEY_EXISTS} where it is known already
     */
    void register(Storage storage);

    /** What another worker needs to reach the memory that is known now. */
    byte[] metadata();

    /**
     * Reaches another worker.
     *
     * @param agent the name that it has, see {@link #agentName}
     * @param metadata what it has given as its own; trusted, so of somebody who is
     * @throws io.kvbm.error.KvbmException where they are not understood, or another life of the worker is still reached
     */
    RemoteAccess connect(String agent, byte[] metadata);

    /** The name by which a transport knows one life of a worker, which no other life of any worker has. */
    static String agentName(long workerId, long epoch) {
        return Long.toUnsignedString(workerId) + "." + Long.toUnsignedString(epoch);
    }

    /** Lets everything go; what runs is waited for or stays held. */
    @Override
    void close();
}
