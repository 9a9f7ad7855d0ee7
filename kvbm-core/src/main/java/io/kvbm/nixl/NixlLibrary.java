package io.kvbm.nixl;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import io.kvbm.error.NixlException;

/** NIXL, loaded into this process. */
public final class NixlLibrary implements Nixl {

    private static @Nullable NixlLibrary loaded;

    private final NixlLocation location;
    private final NixlApi api;
    private final CLibrary c;
    private final LeakNet net = new LeakNet();

    private NixlLibrary(NixlLocation location, NixlApi api, CLibrary c) {
        this.location = location;
        this.api = api;
        this.c = c;
    }

    /** The one library of the process; made by the first call that finds it. */
    static synchronized Nixl load(@Nullable Path path) {
        NixlLocation location = new NixlLocator().locate(path).orElse(null);
        if (location == null) {
            return new Absent("there is no " + NixlLocator.LIBRARY + " at "
                    + (path == null ? System.getenv(NixlLocator.VARIABLE) : path)
                    + "; give the file, its folder, or a virtual environment with the wheel nixl-cu12");
        }
        if (loaded != null) {
            return path == null || loaded.location.library().equals(location.library())
                    ? loaded
                    : new Absent(loaded.location + " is loaded, and " + location.library()
                            + " is asked for; one process can use one library");
        }
        return load(location);
    }

    private static Nixl load(NixlLocation location) {
        try {
            CLibrary c = new CLibrary();
            prepare(c, location);
            NixlApi api = new NixlApi(location.library().toString());
            if (api.isStub() != 0) {
                return new Absent(location.library() + " is a stub without NIXL; give the path of a real one");
            }
            NixlLibrary library = new NixlLibrary(location, api, c);
            loaded = library;
            return library;
        } catch (VirtualMachineError e) {
            throw e;
        } catch (RuntimeException | Error e) {
            // JNA throws a bare Error where the machine has a native part of another version
            return new Absent(reason(location, e));
        }
    }

    private static String reason(NixlLocation location, Throwable failure) {
        if (isDenied(failure)) {
            return "native access is denied; start the JVM with --enable-native-access=ALL-UNNAMED";
        }
        if (failure.getCause() instanceof ClassNotFoundException) {
            return "JNA is not on the class path; add net.java.dev.jna:jna";
        }
        return location.origin() == NixlLocation.Origin.SYSTEM && failure instanceof UnsatisfiedLinkError
                ? "no wheel nixl-cu12 or nixl-cu13 is in a usual place, and the system knows no " + NixlLocator.LIBRARY
                        + "; install one, or set " + NixlLocator.VARIABLE
                : location.library() + " cannot be loaded: " + firstLine(failure);
    }

    /** The JVM says so once, where JNA is initialised, which then stays broken and says only that it is. */
    private static boolean isDenied(Throwable failure) {
        return Stream.iterate(failure, Objects::nonNull, Throwable::getCause)
                .anyMatch(cause -> cause instanceof IllegalCallerException
                        || String.valueOf(cause.getMessage()).contains(IllegalCallerException.class.getName()));
    }

    private static String firstLine(Throwable failure) {
        Throwable cause = failure.getCause() == null ? failure : failure.getCause();
        return String.valueOf(cause.getMessage()).lines().findFirst().orElse(cause.toString());
    }

    /**
     * What NIXL reads when it is loaded. UCX's {@code efa} module draws the system's netlink libraries in beside those
     * of the wheel, and the process dies at its exit in one of them unless the system's come first, which loading its
     * verbs library does. Without a device for it the modules of InfiniBand are of no use.
     */
    private static void prepare(CLibrary c, NixlLocation location) {
        c.load("libibverbs.so.1");
        c.setDefault("UCX_MODULES", hasRdma() ? "^efa" : "^ib");
        Path plugins = location.plugins();
        if (plugins != null) {
            c.setDefault("NIXL_PLUGIN_DIR", plugins.toString());
        }
    }

    private static boolean hasRdma() {
        try (DirectoryStream<Path> devices = Files.newDirectoryStream(Path.of("/sys/class/infiniband"))) {
            return devices.iterator().hasNext();
        } catch (IOException e) {
            return false;
        }
    }

    /** Where it was found. */
    public NixlLocation location() {
        return location;
    }

    @Override
    public String description() {
        return location + " is used";
    }

    /**
     * Makes an agent.
     *
     * @throws NixlException {@code SETUP_FAILED} where NIXL refuses
     */
    public NixlAgent createAgent(NixlAgentConfig config) {
        return NixlAgent.create(api, c, net, config);
    }

    /** How many agents, prepared lists and requests were never closed and were caught by the net below them. */
    public long leaks() {
        return net.leaks();
    }

    /** How many agents, backends, registrations, remote agents, prepared lists and requests are open. */
    public long openHandles() {
        return NativeHandle.open();
    }
}
