package io.kvbm.spring.boot.discovery;

import org.jspecify.annotations.Nullable;
import org.springframework.util.ClassUtils;

import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.error.NixlException;
import io.kvbm.nixl.Nixl;
import io.kvbm.nixl.NixlAgentConfig;
import io.kvbm.nixl.NixlLibrary;
import io.kvbm.nixl.NixlTransport;
import io.kvbm.spring.boot.autoconfigure.InvalidKvbmPropertyException;
import io.kvbm.spring.boot.autoconfigure.KvbmProperties;
import io.kvbm.spring.boot.autoconfigure.KvbmProperties.Transport;
import io.kvbm.transfer.RemoteTransport;

/**
 * What this instance has of NIXL: an agent of its own, or the reason why there is none. NIXL takes memory and threads, so
 * it is not loaded where nobody on another host could be reached.
 *
 * @param transport the agent; null where there is none
 * @param description one line that says which NIXL is used and how, or why none is
 */
record NixlUse(@Nullable NixlTransport transport, String description) implements AutoCloseable {

    /** What there is of NIXL where no blocks are shared. */
    static final String NOTHING_SHARED = new Nixl.Absent("no blocks are shared").description();

    /** What there is of NIXL where the application says what is shared. */
    static final String OF_THE_APPLICATION = "The application configures sharing itself, and NIXL with it";

    private static final String JNA = "com.sun.jna.Native";

    /**
     * Starts an agent where one is wanted and can be had.
     *
     * @param runtime of the manager; its worker and epoch are the agent's name, so that no two lives share one
     * @param loader of the application's classes
     * @throws InvalidKvbmPropertyException where properties ask for one that cannot be had, or contradict each other
     */
    static NixlUse start(KvbmProperties properties, KvManagerRuntimeConfig runtime, @Nullable ClassLoader loader) {
        Transport transport = properties.cluster().transport();
        Boolean enabled = properties.nixl().enabled();
        if (enabled != null && transport == (enabled ? Transport.SAME_HOST : Transport.NIXL)) {
            throw new InvalidKvbmPropertyException("kvbm.nixl.enabled", "is " + enabled
                    + ", but kvbm.cluster.transport is " + (enabled ? "same-host" : "nixl"), "Leave one of them out.");
        }
        if (transport == Transport.NIXL) {
            return required("kvbm.cluster.transport", "nixl", start(properties.nixl(), runtime, loader));
        }
        if (enabled != null && enabled) {
            return required("kvbm.nixl.enabled", "true", start(properties.nixl(), runtime, loader));
        }
        String unwanted = unwanted(properties.cluster(), enabled);
        return unwanted == null ? start(properties.nixl(), runtime, loader) : absent(unwanted);
    }

    /** Why NIXL is not even looked for; null where it is. */
    private static @Nullable String unwanted(KvbmProperties.Cluster cluster, @Nullable Boolean enabled) {
        if (enabled != null) {
            return "kvbm.nixl.enabled is false";
        }
        if (cluster.transport() == Transport.SAME_HOST) {
            return "kvbm.cluster.transport is same-host";
        }
        return cluster.key() == null && cluster.sslBundle() == null && !cluster.insecure()
                ? "no instance on another host may ask for blocks"
                : null;
    }

    private static NixlUse start(KvbmProperties.Nixl settings, KvManagerRuntimeConfig runtime,
            @Nullable ClassLoader loader) {
        return switch (find(settings, loader)) {
            case Nixl.Absent absent -> absent(absent.reason());
            case NixlLibrary library -> start(library, settings,
                    RemoteTransport.agentName(runtime.workerId(), runtime.epoch()));
        };
    }

    private static Nixl find(KvbmProperties.Nixl settings, @Nullable ClassLoader loader) {
        if (!ClassUtils.isPresent(JNA, loader)) {
            return new Nixl.Absent("JNA is not on the class path; add net.java.dev.jna:jna");
        }
        return settings.libraryPath() == null ? Nixl.find() : Nixl.at(settings.libraryPath());
    }

    private static NixlUse start(NixlLibrary library, KvbmProperties.Nixl settings, String agent) {
        try {
            return new NixlUse(NixlTransport.start(library, new NixlAgentConfig(agent, settings.progressThread()),
                    settings.backend(), settings.parameters()),
                    library.description() + " with " + settings.backend() + ", by agent " + agent);
        } catch (NixlException e) {
            return absent(String.valueOf(e.getMessage()));
        }
    }

    private static NixlUse absent(String reason) {
        return new NixlUse(null, new Nixl.Absent(reason).description());
    }

    private static NixlUse required(String property, String value, NixlUse use) {
        if (use.transport == null) {
            throw new InvalidKvbmPropertyException(property, "is " + value + ", but " + use.description,
                    "Do what the description says (NIXL is in the Python wheel nixl-cu12, kvbm.nixl.library-path says"
                            + " where it is, and kvbm.nixl.backend what it uses), or leave " + property
                            + " out to do without it.");
        }
        return use;
    }

    /** Lets the agent go; the manager whose blocks it moves is closed before. */
    @Override
    public void close() {
        if (transport != null) {
            transport.close();
        }
    }
}
