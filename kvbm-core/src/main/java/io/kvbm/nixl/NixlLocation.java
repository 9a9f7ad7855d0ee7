package io.kvbm.nixl;

import java.nio.file.Path;

import org.jspecify.annotations.Nullable;

/**
 * Where NIXL is on this machine.
 *
 * @param library the library with the C API, or its bare name where the system is to look for it
 * @param plugins the folder of its plugins; null where the library is to look beside itself
 * @param version of the Python wheel that it came in, or {@code unknown}
 * @param origin what led there
 */
public record NixlLocation(Path library, @Nullable Path plugins, String version, Origin origin) {

    /** What led to the library. */
    public enum Origin {
        /** A path that the application gave. */
        CONFIGURED,
        /** The environment variable {@value NixlLocator#VARIABLE}. */
        ENVIRONMENT,
        /** A Python wheel in one of the usual folders. */
        WHEEL,
        /** The system's own search for libraries. */
        SYSTEM
    }

    @Override
    public String toString() {
        return "NIXL " + version + " at " + library;
    }
}
