package io.kvbm.testing;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

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
        return of(main).start(arguments);
    }

    /** One that needs more than others do. */
    public static Start of(Class<?> main) {
        return new Start(main);
    }

    /** How one is started. */
    public static final class Start {

        private final Class<?> main;
        private final List<String> libraries = new ArrayList<>(LIBRARIES);
        private final Map<String, String> environment = new HashMap<>();
        private final List<String> flags = new ArrayList<>();
        private List<String> within = List.of();

        private Start(Class<?> main) {
            this.main = main;
        }

        /** Further libraries on its class path, which are given by a part of their file's name. */
        public Start libraries(List<String> parts) {
            libraries.addAll(parts);
            return this;
        }

        /** Variables beside or instead of those of this process. */
        public Start environment(Map<String, String> variables) {
            environment.putAll(variables);
            return this;
        }

        /** All memory of its heap is there from the start, so that what becomes resident later is not heap. */
        public Start wholeHeap() {
            flags.addAll(List.of("-Xms64m", "-XX:+AlwaysPreTouch"));
            return this;
        }

        /** A command that runs the one that follows it, and turns into it. */
        public Start within(List<String> command) {
            within = command;
            return this;
        }

        public JavaProcess start(Object... arguments) throws IOException {
            List<String> command = new ArrayList<>(within);
            command.addAll(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto",
                    "--enable-native-access=ALL-UNNAMED"));
            command.addAll(flags);
            command.addAll(List.of("-cp", classPath(libraries), main.getName()));
            Arrays.stream(arguments).map(Object::toString).forEach(command::add);
            ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
            builder.environment().putAll(environment);
            return new JavaProcess(builder.start());
        }
    }

    private static String classPath(List<String> libraries) {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.endsWith(".jar") || libraries.stream().anyMatch(entry::contains))
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
