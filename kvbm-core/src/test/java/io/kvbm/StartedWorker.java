package io.kvbm;

import org.jspecify.annotations.Nullable;

import io.kvbm.nixl.NixlTransport;
import io.kvbm.pool.BlockPool;
import io.kvbm.remote.Peering;

/**
 * A {@link ToyWorker} that was started in this process.
 *
 * @param transport by which it reaches others; null where it maps their memory
 */
record StartedWorker(KvBlockManager manager, @Nullable NixlTransport transport) implements AutoCloseable {

    Peering peering() {
        return manager.peering().orElseThrow();
    }

    BlockPool pool() {
        return manager.host().orElseThrow();
    }

    /** The number of blocks that stay held because a transfer that nobody waits for may still write them. */
    int unfinished() {
        return transport == null ? 0 : transport.unfinished();
    }

    /** The manager withdraws its memory from the transport, so that goes last. */
    @Override
    public void close() {
        manager.close();
        if (transport != null) {
            transport.close();
        }
    }
}
