package io.kvbm.remote;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What this process has mapped of the shared memory of a pool. */
final class Mappings {

    private Mappings() {}

    /** The numbers by which the system knows the files of a pool: its memory and its side table. */
    static Set<String> files(SharedPool pool) {
        return Stream.concat(Stream.of(pool.board.descriptor()), pool.board.memoryDescriptors().stream())
                .map(Mappings::inode)
                .collect(Collectors.toUnmodifiableSet());
    }

    private static String inode(int descriptor) {
        try {
            return Files.getAttribute(Path.of("/proc/self/fd/" + descriptor), "unix:ino").toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** How many mappings of these files others than their owner have: those that cannot be written. */
    static long readers(Set<String> files) {
        try {
            List<String> maps = Files.readAllLines(Path.of("/proc/self/maps"));
            return maps.stream()
                    .map(line -> line.split(" +"))
                    .filter(fields -> fields[1].startsWith("r--") && files.contains(fields[4]))
                    .count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
