package io.kvbm.remote;

/** Makes the ways to workers. */
@FunctionalInterface
public interface PeerLinks {

    /**
     * The way to whoever is at an address. Nothing is asked yet: where the address makes no sense, every question fails.
     *
     * @param address as the catalog has it, such as host and port
     */
    PeerLink to(String address);
}
