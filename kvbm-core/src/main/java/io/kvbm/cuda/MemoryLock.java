package io.kvbm.cuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** How much memory the process may lock, as the system has it. */
final class MemoryLock {

    private static final Path LIMITS = Path.of("/proc/self/limits");
    private static final String NAME = "Max locked memory";

    private MemoryLock() {}

    /** The limit in words, for a message. */
    static String limit() {
        try {
            return Files.readAllLines(LIMITS)
                    .stream()
                    .filter(line -> line.startsWith(NAME))
                    .map(line -> line.substring(NAME.length()).strip().replaceFirst("\\s.*", ""))
                    .map(soft -> soft.equals("unlimited") ? "any amount" : soft + " bytes (ulimit -l)")
                    .findFirst()
                    .orElse("an unknown amount");
        } catch (IOException e) {
            return "an unknown amount";
        }
    }
}
