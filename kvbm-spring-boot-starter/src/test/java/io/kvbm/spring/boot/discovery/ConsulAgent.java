package io.kvbm.spring.boot.discovery;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

import org.awaitility.core.ConditionTimeoutException;
import org.springframework.util.FileSystemUtils;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

import static org.awaitility.Awaitility.await;

/** A real Consul server on this machine, alone, with a folder of its own. */
final class ConsulAgent implements AutoCloseable {

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(1)).build();
    private final List<Integer> ports = Instance.freePorts(4);
    private final Path data = Files.createTempDirectory("consul");
    private Process process;

    private ConsulAgent() throws IOException {
        process = launch();
    }

    /** Whether tests that need Consul run: where it is, and where {@code KVBM_REQUIRE} says that it has to be. */
    static boolean isThere() {
        String required = System.getenv().getOrDefault("KVBM_REQUIRE", "");
        return Arrays.asList(required.split(",", -1)).contains("consul")
                || Arrays.stream(System.getenv("PATH").split(File.pathSeparator, -1))
                        .anyMatch(folder -> Files.isExecutable(Path.of(folder, "consul")));
    }

    static ConsulAgent start() throws IOException {
        return new ConsulAgent();
    }

    private Process launch() throws IOException {
        Process launched = new ProcessBuilder("consul", "agent", "-server", "-bootstrap-expect=1",
                "-bind=127.0.0.1", "-client=127.0.0.1", "-data-dir=" + data, "-http-port=" + port(), "-dns-port=-1",
                "-grpc-port=-1", "-server-port=" + ports.get(1), "-serf-lan-port=" + ports.get(2),
                "-serf-wan-port=" + ports.get(3), "-disable-host-node-id", "-hcl=disable_update_check = true",
                "-hcl=performance { raft_multiplier = 1 }").redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(data.resolve("log").toFile()))
                .start();
        try {
            await().atMost(Duration.ofSeconds(30)).until(this::leads);
        } catch (ConditionTimeoutException e) {
            launched.destroyForcibly();
            throw new IOException("Consul does not lead:\n" + Files.readString(data.resolve("log")), e);
        }
        return launched;
    }

    /** Starts again where it stopped. */
    void startAgain() throws IOException {
        process = launch();
    }

    /** Starts again, knowing nothing of what was registered. */
    void startEmpty() throws IOException {
        FileSystemUtils.deleteRecursively(data);
        Files.createDirectory(data);
        startAgain();
    }

    int port() {
        return ports.getFirst();
    }

    private boolean leads() {
        try {
            return call("GET", "/v1/status/leader", "").length() > 2;
        } catch (IOException e) {
            return false;
        }
    }

    private String call(String method, String path, String body) throws IOException {
        try {
            HttpResponse<String> response = http.send(HttpRequest
                    .newBuilder(URI.create("http://127.0.0.1:" + port() + path))
                    .timeout(Duration.ofSeconds(5))
                    .method(method, HttpRequest.BodyPublishers.ofString(body))
                    .build(), HttpResponse.BodyHandlers.ofString());
            if (response.statusCode() != 200) {
                throw new IOException(path + " answered " + response.statusCode() + ": " + response.body());
            }
            return response.body();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }

    /** What the catalog has under a service's name. */
    List<JsonNode> entries(String service) {
        try {
            return JSON.readTree(call("GET", "/v1/catalog/service/" + service, "")).valueStream().toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** Whether an instance can be found. */
    boolean lists(Instance instance) {
        return lists(Long.toUnsignedString(instance.manager.workerId()));
    }

    /** Whether a worker can be found. */
    boolean lists(String worker) {
        return entries("cluster").stream()
                .anyMatch(entry -> entry.path("ServiceMeta").path(Pointer.WORKER_KEY).asString("").equals(worker));
    }

    /** Somebody takes an entry out. */
    void forget(String serviceId) throws IOException {
        call("PUT", "/v1/agent/service/deregister/" + serviceId, "");
    }

    /** Somebody else registers under a service's name. */
    void register(String service, String id, int at) throws IOException {
        call("PUT", "/v1/agent/service/register",
                "{\"ID\":\"" + id + "\",\"Name\":\"" + service + "\",\"Address\":\"127.0.0.1\",\"Port\":" + at + "}");
    }

    void stop() throws InterruptedException {
        process.destroyForcibly();
        if (!process.waitFor(20, TimeUnit.SECONDS)) {
            throw new IllegalStateException("Consul does not end");
        }
    }

    /** Stops it without ending it, so that it takes connections and answers none. */
    void freeze() throws IOException, InterruptedException {
        signal("STOP");
    }

    void thaw() throws IOException, InterruptedException {
        signal("CONT");
    }

    private void signal(String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
        if (kill.waitFor() != 0) {
            throw new IOException("The agent could not be sent SIG" + name);
        }
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly().onExit().join();
        FileSystemUtils.deleteRecursively(data);
    }
}
