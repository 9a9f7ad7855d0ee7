package io.kvbm.nixl;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

/**
 * The search for NIXL's C API: a given path, the environment, the Python wheels of the machine, then what the system
 * finds by name. A path that is given is the only one that is tried.
 */
final class NixlLocator {

    /** Where the library is: a file, its folder, a folder of Python packages, or a virtual environment. */
    static final String VARIABLE = "KVBM_NIXL_LIBRARY_PATH";

    static final String LIBRARY = "libnixl_capi.so";

    private static final String VIRTUAL_ENVIRONMENT = "VIRTUAL_ENV";
    private static final String UNKNOWN = "unknown";

    /** The wheels that carry it, one for each version of CUDA. Moving host memory needs none. */
    private static final List<String> WHEELS = List.of("nixl_cu12", "nixl_cu13");

    private final Path root;
    private final Map<String, String> environment;

    /** A search of this machine. */
    NixlLocator() {
        this(Path.of("/"), System.getenv());
    }

    /** A search below a folder that stands for the root of a machine. */
    NixlLocator(Path root, Map<String, String> environment) {
        this.root = root;
        this.environment = environment;
    }

    /** What is found, the first that counts; empty where a given path leads nowhere. */
    Optional<NixlLocation> locate(@Nullable Path configured) {
        if (configured != null) {
            return at(configured, NixlLocation.Origin.CONFIGURED);
        }
        String variable = environment.getOrDefault(VARIABLE, "");
        if (!variable.isBlank()) {
            return at(Path.of(variable), NixlLocation.Origin.ENVIRONMENT);
        }
        return packageFolders().flatMap(NixlLocator::inPackages)
                .findFirst()
                .map(library -> location(library, NixlLocation.Origin.WHEEL))
                .or(() -> Optional.of(
                        new NixlLocation(Path.of(LIBRARY), null, UNKNOWN, NixlLocation.Origin.SYSTEM)));
    }

    private static Optional<NixlLocation> at(Path given, NixlLocation.Origin origin) {
        Stream<Path> candidates = Files.isDirectory(given)
                ? Stream.of(Stream.of(given.resolve(LIBRARY)), inPackages(given), inEnvironment(given))
                        .flatMap(found -> found)
                : Stream.of(given);
        return candidates.filter(Files::isRegularFile).findFirst().map(library -> location(library, origin));
    }

    private static NixlLocation location(Path library, NixlLocation.Origin origin) {
        Path absolute = library.toAbsolutePath();
        Path plugins = absolute.resolveSibling("plugins");
        return new NixlLocation(absolute, Files.isDirectory(plugins) ? plugins : null, version(absolute), origin);
    }

    /** The wheel notes its version in a folder beside its own. */
    private static String version(Path library) {
        Path packages = library.resolveSibling("..").normalize();
        for (String wheel : WHEELS) {
            if (library.startsWith(inPackage(packages, wheel))) {
                for (Path info : list(packages, wheel + "-*.dist-info")) {
                    String name = info.getFileName().toString();
                    return name.substring(wheel.length() + 1, name.length() - ".dist-info".length());
                }
            }
        }
        return UNKNOWN;
    }

    private Stream<Path> packageFolders() {
        String virtual = environment.getOrDefault(VIRTUAL_ENVIRONMENT, "");
        String home = environment.getOrDefault("HOME", "");
        Stream<Path> own = virtual.isBlank() ? Stream.empty() : packagesOfEnvironment(Path.of(virtual));
        Stream<Path> system = Stream.of("usr/lib", "usr/lib64", "usr/local/lib", "usr/local/lib64")
                .flatMap(lib -> packagesOf(root.resolve(lib)));
        Stream<Path> user = home.isBlank() ? Stream.empty() : packagesOf(Path.of(home, ".local", "lib"));
        return Stream.of(own, system, user).flatMap(folders -> folders);
    }

    private static Stream<Path> inEnvironment(Path virtual) {
        return packagesOfEnvironment(virtual).flatMap(NixlLocator::inPackages);
    }

    private static Stream<Path> packagesOfEnvironment(Path virtual) {
        return Stream.of("lib", "lib64").flatMap(lib -> packagesOf(virtual.resolve(lib)));
    }

    /** The folders of packages of every Python in a folder, the latest Python first. */
    private static Stream<Path> packagesOf(Path lib) {
        return list(lib, "python3*").stream()
                .sorted(Comparator.comparingInt(NixlLocator::minorVersion).reversed())
                .flatMap(python -> Stream.of(python.resolve("site-packages"), python.resolve("dist-packages")));
    }

    private static int minorVersion(Path python) {
        String digits = python.getFileName().toString().replaceFirst("^python3\\.?", "").replaceFirst("\\D.*$", "");
        return digits.isEmpty() || digits.length() > 6 ? 0 : Integer.parseInt(digits);
    }

    private static Stream<Path> inPackages(Path packages) {
        return WHEELS.stream()
                .map(wheel -> inPackage(packages, wheel).resolve(LIBRARY))
                .filter(Files::isRegularFile);
    }

    private static Path inPackage(Path packages, String wheel) {
        return packages.resolve("." + wheel + ".mesonpy.libs");
    }

    private static List<Path> list(Path folder, String pattern) {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, pattern)) {
            entries.forEach(found::add);
        } catch (IOException | DirectoryIteratorException _) {
            // a folder that is not there or not ours to read has nothing for us
        }
        return found;
    }
}
