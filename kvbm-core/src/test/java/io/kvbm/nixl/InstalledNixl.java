package io.kvbm.nixl;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

import io.kvbm.testing.Required;

/** The NIXL of this machine: one in a usual place, or the one that {@code .ci/nixl} installs. */
public final class InstalledNixl {

    private static final Path OF_THE_TESTS = Path.of("/usr/local/lib/kvbm-nixl");

    private InstalledNixl() {}

    /** Whether tests that need NIXL run: where it is, and where {@code KVBM_REQUIRE} says that it has to be. */
    public static boolean isThere() {
        return Required.names("nixl") || find() instanceof NixlLibrary;
    }

    public static NixlLibrary library() {
        return switch (find()) {
            case NixlLibrary library -> library;
            case Nixl.Absent absent -> throw new AssertionError(absent.description() + "; run .ci/nixl");
        };
    }

    /** Whether tests that need an agent in Python run as well: where {@code .ci/nixl} has put one. */
    public static boolean hasPython() {
        return isThere() && (Required.names("nixl") || Files.isExecutable(python()));
    }

    /** The Python that has NIXL and numpy. */
    public static Path python() {
        return OF_THE_TESTS.resolve("bin/python");
    }

    private static Nixl find() {
        return given().map(Nixl::at).orElseGet(Nixl::find);
    }

    /** What another process has to be given to find the same. */
    static String path() {
        return library().location().library().toString();
    }

    private static Optional<Path> given() {
        boolean usual = new NixlLocator().locate(null)
                .filter(found -> found.origin() != NixlLocation.Origin.SYSTEM)
                .isPresent();
        return usual || !Files.isDirectory(OF_THE_TESTS) ? Optional.empty() : Optional.of(OF_THE_TESTS);
    }
}
