package io.kvbm.remote;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

import static org.assertj.core.api.Assertions.assertThat;

/** A {@link BoardOwner} that was started. */
final class OwnerProcess implements AutoCloseable {

    private final Process process;
    private final BufferedReader output;

    private OwnerProcess(Process process) {
        this.process = process;
        this.output = process.inputReader(StandardCharsets.US_ASCII);
    }

    static OwnerProcess start(long seed, long workerId, int words) throws IOException {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto",
                        "--enable-native-access=ALL-UNNAMED", "-cp", classPath(), BoardOwner.class.getName(),
                        Long.toString(seed), Long.toString(workerId), Integer.toString(words)));
        return new OwnerProcess(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start());
    }

    /** What an owner needs, without what would only make it start later. */
    private static String classPath() {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.endsWith(".jar") || entry.contains("hash4j") || entry.contains("slf4j-api")
                        || entry.contains("jspecify"))
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** What it exports, as soon as it has said so. */
    Blockset blockset() throws IOException {
        String line = output.readLine();
        assertThat(line).as("what the owner exports").isNotNull();
        return BlocksetCodec.decode(Base64.getDecoder().decode(line));
    }

    /** Lets it begin. */
    void go() throws IOException {
        process.getOutputStream().write('\n');
        process.getOutputStream().flush();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Ends it between any two instructions: it gets SIGKILL. */
    void kill() {
        process.destroyForcibly();
    }

    int awaitEnd() throws InterruptedException {
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    @Override
    public void close() {
        kill();
    }
}
