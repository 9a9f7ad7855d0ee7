package io.kvbm.testing;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A main class of the tests in a JVM of its own, which is spoken to by its standard streams. */
public final class JavaProcess implements AutoCloseable {

    /** What an exit by SIGKILL looks like. */
    public static final int KILLED = 128 + 9;

    /** What a main class needs; more would only make it start later. */
    private static final List<String> LIBRARIES = List.of("hash4j", "slf4j-api", "jspecify", "jackson-core");

    private static final int SECONDS = 20;

    private final Process process;

    private JavaProcess(Process process) {
        this.process = process;
    }

    public static JavaProcess start(Class<?> main, Object... arguments) throws IOException {
        return startWith(List.of(), main, arguments);
    }

    /** Starts it with further libraries on its class path, which are given by a part of their file's name. */
    public static JavaProcess startWith(List<String> libraries, Class<?> main, Object... arguments)
            throws IOException {
        return start(List.of(), libraries, main, arguments);
    }

    /** Starts it with all memory of its heap there from the start, so that what becomes resident later is not heap. */
    public static JavaProcess startWithWholeHeap(List<String> libraries, Class<?> main, Object... arguments)
            throws IOException {
        return start(List.of("-Xms64m", "-XX:+AlwaysPreTouch"), libraries, main, arguments);
    }

    private static JavaProcess start(List<String> flags, List<String> libraries, Class<?> main, Object... arguments)
            throws IOException {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"));
        command.addAll(flags);
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", classPath(libraries), main.getName()));
        Arrays.stream(arguments).map(Object::toString).forEach(command::add);
        return new JavaProcess(
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start());
    }

    private static String classPath(List<String> more) {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.endsWith(".jar")
                        || Stream.concat(LIBRARIES.stream(), more.stream()).anyMatch(entry::contains))
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** What it writes to its standard output. */
    public InputStream output() {
        return process.getInputStream();
    }

    /** Where it reads from as its standard input. */
    public OutputStream input() {
        return process.getOutputStream();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** Ends it between any two instructions: it gets SIGKILL. */
    public void kill() {
        process.destroyForcibly();
    }

    /** Waits until it has ended, and says how. */
    public int awaitEnd() throws InterruptedException {
        if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("Process " + process.pid() + " has not ended within " + SECONDS + " s");
        }
        return process.exitValue();
    }

    @Override
    public void close() {
        kill();
    }
}
