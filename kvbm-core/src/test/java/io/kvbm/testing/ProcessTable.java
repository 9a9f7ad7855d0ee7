package io.kvbm.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What the kernel knows of this process: open descriptors and mappings. */
public final class ProcessTable {

    private static final String OURS = "kvbm";

    private ProcessTable() {}

    /** Descriptors of memory files of this name. */
    public static long descriptors(String name) throws IOException {
        return descriptorsOf(name + " ");
    }

    /** Descriptors of all memory files of ours. */
    public static long descriptors() throws IOException {
        return descriptorsOf(OURS);
    }

    private static long descriptorsOf(String start) throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.filter(file -> target(file).contains("memfd:" + start)).count();
        }
    }

    /** Mappings of memory files of this name. */
    public static long mappings(String name) throws IOException {
        return mappingsOf(name + " ");
    }

    /** Mappings of all memory files of ours. */
    public static long mappings() throws IOException {
        return mappingsOf(OURS);
    }

    private static long mappingsOf(String start) throws IOException {
        List<String> maps = Files.readAllLines(Path.of("/proc/self/maps"));
        return maps.stream().filter(line -> line.contains("memfd:" + start)).count();
    }

    /** Bytes of memory files of this name that are mapped by huge pages. */
    public static long hugeBytes(String name) throws IOException {
        boolean within = false;
        long sum = 0;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                within = line.contains("memfd:" + name + " ");
            } else if (within && line.startsWith("ShmemPmdMapped:")) {
                sum += Long.parseLong(line.replaceAll("\\D", "")) * 1024;
            }
        }
        return sum;
    }

    private static String target(Path file) {
        try {
            return Files.readSymbolicLink(file) + " ";
        } catch (IOException e) {
            return "gone";
        }
    }
}
