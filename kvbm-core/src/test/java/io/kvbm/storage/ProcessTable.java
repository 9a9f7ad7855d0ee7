package io.kvbm.storage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What the kernel knows of this process: open descriptors and mappings. */
final class ProcessTable {

    private ProcessTable() {}

    /** Descriptors of memory files of this name. */
    static long descriptors(String name) throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.filter(file -> target(file).contains("memfd:" + name + " ")).count();
        }
    }

    /** Mappings of memory files of this name. */
    static long mappings(String name) throws IOException {
        List<String> maps = Files.readAllLines(Path.of("/proc/self/maps"));
        return maps.stream().filter(line -> line.contains("memfd:" + name + " ")).count();
    }

    private static String target(Path file) {
        try {
            return Files.readSymbolicLink(file) + " ";
        } catch (IOException e) {
            return "gone";
        }
    }
}
