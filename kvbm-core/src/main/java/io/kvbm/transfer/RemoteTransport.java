package io.kvbm.transfer;

import java.util.OptionalLong;

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
     * @param workerId the worker, unsigned
     * @param epoch its start, unsigned; 0 where that is not known
     * @param metadata what it has given as its own; trusted, so of somebody who is
     * @throws io.kvbm.error.KvbmException where they are not understood or another's, or another life of the worker is
     *         still reached
     */
    RemoteAccess connect(long workerId, long epoch, byte[] metadata);

    /** Says that others are about to read or write this worker's memory; without it they wait longer for the first byte. */
    void expect();

    /** Has this listener, and no other, take what agents tell this one from now on. */
    void listen(Listener listener);

    /** Takes what other agents tell this one. */
    @FunctionalInterface
    interface Listener {

        /**
         * Takes a message, one after the other, in a thread of the transport's own.
         *
         * @param agent the name that the sender goes by; whoever can send can choose it
         * @param message as it was sent, behind the bytes that it was sent with
         */
        void onMessage(String agent, byte[] message);
    }

    /** The name by which a transport knows one life of a worker, which no other life of any worker has. */
    static String agentName(long workerId, long epoch) {
        return Long.toUnsignedString(workerId) + "." + Long.toUnsignedString(epoch);
    }

    /** Whether an agent may be this life of a worker; where its start is not known, any life, or a plain agent. */
    static boolean isAgentOf(long workerId, long epoch, String agent) {
        OptionalLong worker = workerOf(agent);
        return agent.equals(agentName(workerId, epoch))
                || (epoch == 0 && worker.isPresent() && worker.getAsLong() == workerId);
    }

    /** The worker of an agent that is named by its number, alone or before anything that is no digit. */
    static OptionalLong workerOf(String agent) {
        int digits = 0;
        while (digits < agent.length() && agent.charAt(digits) >= '0' && agent.charAt(digits) <= '9') {
            digits++;
        }
        try {
            return OptionalLong.of(Long.parseUnsignedLong(agent, 0, digits, 10));
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    /** Lets others reach this worker's memory no more, whatever they are doing with it. Further calls do nothing. */
    void withdraw();

    /** Lets everything go; what runs ends. */
    @Override
    void close();
}
