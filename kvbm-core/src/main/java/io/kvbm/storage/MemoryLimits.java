package io.kvbm.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Stream;

import io.kvbm.error.StorageException;

/**
 * How much memory this process may still take: what the kernel has available, and what its control groups allow. Going
 * over either does not fail a call but kills a process, so it is looked at before.
 */
final class MemoryLimits {

    private final Path root;

    /** The limits under this root directory, {@code /} outside of tests. */
    MemoryLimits(Path root) {
        this.root = root;
    }

    /**
     * Refuses a size that is over a limit.
     *
     * @throws StorageException {@code ALLOCATION_FAILED}
     */
    void require(long size) {
        OptionalLong available = field(root.resolve("proc/meminfo"), "MemAvailable:");
        if (available.isPresent() && size > available.getAsLong() * 1024) {
            throw refused(size, available.getAsLong() * 1024, "are available on this machine",
                    "configure fewer blocks");
        }
        cgroups().forEach(group -> {
            OptionalLong room = room(group);
            if (room.isPresent() && size > room.getAsLong()) {
                throw refused(size, room.getAsLong(), "are left under the memory limit of control group " + group,
                        "raise the container's limit or configure fewer blocks");
            }
        });
    }

    private static StorageException refused(long size, long left, String where, String remedy) {
        return new StorageException(StorageException.Kind.ALLOCATION_FAILED,
                size + " bytes of host memory are asked for and " + left + " " + where + "; " + remedy);
    }

    private Stream<Path> cgroups() {
        Path mount = root.resolve("sys/fs/cgroup");
        Path own = mount;
        for (String line : lines(root.resolve("proc/self/cgroup"))) {
            if (line.startsWith("0::/")) {
                own = mount.resolve(line.substring("0::/".length())).normalize();
            }
        }
        Stream<Path> nested = Stream.iterate(own, group -> group != null && group.startsWith(mount), Path::getParent);
        return Stream.concat(nested, Stream.of(mount.resolve("memory"))).distinct();
    }

    /** What is left in a group; page cache is given back on demand, so it counts as free. */
    private static OptionalLong room(Path group) {
        OptionalLong limit = number(group.resolve("memory.max"));
        if (limit.isPresent()) {
            return left(limit, number(group.resolve("memory.current")), group, "");
        }
        return left(number(group.resolve("memory.limit_in_bytes")), number(group.resolve("memory.usage_in_bytes")),
                group, "total_");
    }

    private static OptionalLong left(OptionalLong limit, OptionalLong used, Path group, String prefix) {
        if (limit.isEmpty() || used.isEmpty()) {
            return OptionalLong.empty();
        }
        Path statistics = group.resolve("memory.stat");
        long cache = field(statistics, prefix + "inactive_file").orElse(0)
                + field(statistics, prefix + "active_file").orElse(0);
        return OptionalLong.of(limit.getAsLong() - used.getAsLong() + cache);
    }

    private static OptionalLong number(Path file) {
        return lines(file).stream().filter(line -> line.matches("\\d{1,18}")).mapToLong(Long::parseLong).findFirst();
    }

    private static OptionalLong field(Path file, String name) {
        return lines(file).stream()
                .map(line -> line.split("\\s+"))
                .filter(f -> f.length > 1 && f[0].equals(name))
                .mapToLong(f -> Long.parseLong(f[1]))
                .findFirst();
    }

    private static List<String> lines(Path file) {
        try {
            return Files.isReadable(file) ? Files.readAllLines(file) : List.of();
        } catch (IOException e) {
            return List.of();
        }
    }
}
