package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.awaitility.core.ConditionTimeoutException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import static org.awaitility.Awaitility.await;

/** An {@link AnsweringApplication} in a JVM of its own, which is asked over HTTP and ended by signals. */
final class ForkedInstance implements AutoCloseable {

    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration START = Duration.ofSeconds(60);

    final String worker;

    private final int port;
    private final Process process;
    private final Path log;
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(PATIENCE)
            .build();

    private ForkedInstance(String worker, int port, Process process, Path log) {
        this.worker = worker;
        this.port = port;
        this.process = process;
        this.log = log;
    }

    /** Starts one of the instances at these ports, which all know of each other. */
    static ForkedInstance start(int worker, int port, List<Integer> ports, String... properties) throws IOException {
        return start(worker, port, Instance.arguments(port, ports, properties));
    }

    /** Starts an instance that finds others in Consul. */
    static ForkedInstance start(int worker, int port, ConsulAgent consul, String... properties) throws IOException {
        return start(worker, port, Instance.arguments(port, consul, properties));
    }

    private static ForkedInstance start(int worker, int port, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx192m",
                        "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"));
        // what the suite has to live with, so has its child
        ManagementFactory.getRuntimeMXBean()
                .getInputArguments()
                .stream()
                .filter(argument -> argument.startsWith("--"))
                .forEach(command::add);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), AnsweringApplication.class.getName(),
                "--kvbm.worker-id=" + worker, "--management.endpoints.web.exposure.include=health,kvbm"));
        command.addAll(arguments);
        Path log = Files.createTempFile("forked-" + worker + "-", ".log");
        log.toFile().deleteOnExit();
        return new ForkedInstance(Integer.toString(worker), port,
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start(), log);
    }

    // ---------------------------------------------------------------------------------------------- asking

    /** How many tokens of a prompt it found. */
    int answer(int prompt, int tokens) throws IOException {
        return Integer.parseInt(call("POST", "/answer?prompt=" + prompt + "&tokens=" + tokens));
    }

    /** Has it hold a prompt open for a time, and says how many tokens that was. */
    int compute(int prompt, int tokens, Duration time) throws IOException {
        return Integer.parseInt(call("POST", "/compute?prompt=" + prompt + "&tokens=" + tokens + "&time=" + time));
    }

    /** Whether it asks for requests, as whoever spreads them finds out. */
    boolean isInService() {
        try {
            return http.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/actuator/health"))
                    .timeout(PATIENCE)
                    .build(), HttpResponse.BodyHandlers.discarding()).statusCode() == 200;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (IOException e) {
            return false;
        }
    }

    /** Sequences that are open in it. */
    long openSequences() throws IOException {
        return JSON.readTree(call("GET", "/actuator/kvbm")).path("sequences").path("open").asLong();
    }

    private String call(String method, String pathAndQuery) throws IOException {
        try {
            HttpResponse<String> response = http.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + pathAndQuery))
                            .timeout(PATIENCE)
                            .method(method, HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                throw new AssertionError("Worker " + worker + " answered " + pathAndQuery + " with "
                        + response.statusCode() + ": " + response.body());
            }
            return response.body();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }

    /** What it knows of the cluster. */
    JsonNode cluster() {
        try {
            return JSON.readTree(call("GET", "/actuator/kvbm")).path("cluster");
        } catch (IOException e) {
            throw new AssertionError("Worker " + worker + " does not answer:\n" + log(), e);
        }
    }

    /** Whether it answers; fails where it never will. */
    private boolean answers() {
        if (!process.isAlive()) {
            throw new AssertionError("Worker " + worker + " ended with " + process.exitValue() + ":\n" + log());
        }
        try {
            call("GET", "/actuator/kvbm");
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    void awaitStart() {
        try {
            await().pollInterval(Duration.ofMillis(20)).atMost(START).until(this::answers);
        } catch (ConditionTimeoutException e) {
            throw new AssertionError("Worker " + worker + " does not start:\n" + log(), e);
        }
    }

    String epoch() {
        return cluster().path("epoch").asString();
    }

    /** What it knows of another one, whatever its life. */
    Optional<JsonNode> peer(String other) {
        return cluster().path("peers")
                .valueStream()
                .filter(peer -> peer.path("workerId").asString().equals(other))
                .findFirst();
    }

    /** Whether another one is known in this life and asked for blocks. */
    boolean knows(String other, String epoch) {
        return peer(other).filter(
                peer -> peer.path("epoch").asString().equals(epoch) && peer.path("state").asString().equals("LIVE"))
                .isPresent();
    }

    /** The blocks it has taken from others. */
    long taken() {
        return cluster().path("taken").path("taken").asLong();
    }

    /** Its output. */
    String log() {
        try {
            return Files.readString(log);
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** The inodes of memory that it shares. */
    Set<String> ownMemory() throws IOException {
        return memory("rw-s");
    }

    /** The inodes of memory that it reads and others share. */
    Set<String> peersMemory() throws IOException {
        return memory("r--s");
    }

    private Set<String> memory(String access) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/" + process.pid() + "/maps"))) {
            return lines.filter(line -> line.contains("/memfd:"))
                    .map(line -> line.split(" +", -1))
                    .filter(fields -> fields[1].equals(access))
                    .map(fields -> fields[4])
                    .collect(Collectors.toSet());
        }
    }

    // ---------------------------------------------------------------------------------------------- ending

    /** Ends it between any two instructions: it gets SIGKILL. */
    void kill() throws InterruptedException {
        process.destroyForcibly();
        awaitEnd();
    }

    /** Asks it to end by SIGTERM, and says how it did. */
    int terminate() throws InterruptedException {
        process.toHandle().destroy(); // the process's own way would close its input, at which it ends by itself
        return awaitEnd();
    }

    private int awaitEnd() throws InterruptedException {
        if (!process.waitFor(30, TimeUnit.SECONDS)) {
            throw new AssertionError("Worker " + worker + " does not end:\n" + log());
        }
        return process.exitValue();
    }

    @Override
    public String toString() {
        return "worker " + worker;
    }

    @Override
    public void close() {
        process.destroyForcibly();
        http.close();
    }
}
