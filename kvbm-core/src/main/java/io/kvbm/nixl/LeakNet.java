package io.kvbm.nixl;

import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicLong;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The net below agents, prepared lists and requests that nobody closes: once the collector has found one unreachable it
 * is closed, counted and logged. Registrations and backends need none, as their agent holds them.
 */
final class LeakNet {

    private static final Logger log = LoggerFactory.getLogger(LeakNet.class);

    private final AtomicLong leaks = new AtomicLong();

    LeakNet() {}

    /** How many were caught. */
    long leaks() {
        return leaks.get();
    }

    /** Casts a net below an object; cleaning what is returned calls it off once the handle is closed. */
    Cleaner.Cleanable cast(Object user, NativeHandle handle) {
        return Collector.CLEANER.register(user, () -> close(handle));
    }

    private void close(NativeHandle handle) {
        try {
            if (handle.close()) {
                leaks.incrementAndGet();
                log.warn("{} was never closed and has been closed now; close it, for example with try-with-resources",
                        handle);
            }
        } catch (RuntimeException e) {
            leaks.incrementAndGet();
            log.warn("{} was never closed, and closing it now failed", handle, e);
        }
    }

    /** Started with the first net. */
    private static final class Collector {

        private static final Cleaner CLEANER = Cleaner
                .create(Thread.ofPlatform().name("kvbm-nixl-net").daemon().factory());
    }
}
