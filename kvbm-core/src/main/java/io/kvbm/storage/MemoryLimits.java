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

    /** The limits of this process. */
    static final MemoryLimits SYSTEM = new MemoryLimits(Path.of("/"));

    private final Path root;
    private long promised;

    /** The limits under this root directory. */
    MemoryLimits(Path root) {
        this.root = root;
    }

    /**
     * Refuses a size that is over a limit. The kernel counts memory when it is backed, so what was promised before and is
     * not backed yet is taken off.
     *
     * @throws StorageException {@code ALLOCATION_FAILED}
     */
    synchronized Promise promise(long size) {
        OptionalLong available = field(root.resolve("proc/meminfo"), "MemAvailable:");
        if (available.isPresent()) {
            require(size, available.getAsLong() * 1024, "are available on this machine", "configure fewer blocks");
        }
        cgroups().forEach(group -> {
            OptionalLong room = room(group);
            if (room.isPresent()) {
                require(size, room.getAsLong(), "are left under the memory limit of control group " + group,
                        "raise the container's limit or configure fewer blocks");
            }
        });
        promised += size;
        return new Counted(size);
    }

    private void require(long size, long left, String where, String remedy) {
        long free = Math.max(0, left - promised);
        if (size > free) {
            throw new StorageException(StorageException.Kind.ALLOCATION_FAILED,
                    size + " bytes of host memory are asked for and " + free + " " + where + "; " + remedy);
        }
    }

    private synchronized void kept(long bytes) {
        promised -= bytes;
    }

    private Stream<Path> cgroups() {
        Path mount = root.resolve("sys/fs/cgroup");
        Path memory = mount.resolve("memory");
        Stream<Path> all = Stream.of(mount, memory);
        for (String line : lines(root.resolve("proc/self/cgroup"))) {
            String[] entry = line.split(":/", 2);
            if (entry[0].equals("0:")) {
                all = Stream.concat(all, upwards(mount, entry[1]));
            } else if (entry[0].matches("\\d+:(.*,)?memory(,.*)?")) {
                all = Stream.concat(all, upwards(memory, entry[1]));
            }
        }
        return all.distinct();
    }

    private static Stream<Path> upwards(Path mount, String group) {
        return Stream.iterate(mount.resolve(group).normalize(), path -> path != null && path.startsWith(mount),
                Path::getParent);
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

    /** Bytes that a request may still take although the kernel does not count them yet. */
    interface Promise extends AutoCloseable {

        /** Of memory that the kernel counts already. */
        Promise NONE = new Promise() {
            @Override
            public void kept(long bytes) {}

            @Override
            public void close() {}
        };

        /** Says that the kernel counts these bytes now. */
        void kept(long bytes);

        /** Gives back what was not kept; further calls do nothing. */
        @Override
        void close();
    }

    private final class Counted implements Promise {

        private long left;

        private Counted(long left) {
            this.left = left;
        }

        @Override
        public synchronized void kept(long bytes) {
            MemoryLimits.this.kept(bytes);
            left -= bytes;
        }

        @Override
        public synchronized void close() {
            kept(left);
        }
    }
}
