package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import io.kvbm.nixl.Nixl;
import io.kvbm.nixl.NixlLibrary;
import io.kvbm.spring.boot.actuate.KvbmEndpoint;
import io.kvbm.spring.boot.actuate.ManagerDescriptor.ClusterDescriptor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

/** Two applications that do not map each other's memory, as if they were on different hosts, and reach it by NIXL. */
@Tag("nixl")
@EnabledIf("nixlIsThere")
class NixlInstancesTest {

    private static final Path OF_THE_TESTS = Path.of("/usr/local/lib/kvbm-nixl");
    private static final Duration SOON = Duration.ofSeconds(20);

    static boolean nixlIsThere() {
        String required = System.getenv().getOrDefault("KVBM_REQUIRE", "");
        return Arrays.asList(required.split(",", -1)).contains("nixl") || Files.isDirectory(OF_THE_TESTS)
                || Nixl.find() instanceof NixlLibrary;
    }

    private static Instance start(int port, List<Integer> ports) {
        return Instance.start(port, ports, "kvbm.cluster.transport=nixl", libraryPath(),
                "kvbm.cluster.take-timeout=20s", "management.endpoints.web.exposure.include=kvbm");
    }

    private static String libraryPath() {
        return "kvbm.nixl.library-path=" + (Files.isDirectory(OF_THE_TESTS) ? OF_THE_TESTS.toString() : "");
    }

    @Test
    void whatOneHasComputedTheOtherTakesByNixl() throws IOException {
        List<Integer> ports = Instance.freePorts(2);
        int[] tokens = IntStream.range(0, 41).toArray();
        try (Instance one = start(ports.get(0), ports); Instance other = start(ports.get(1), ports)) {
            await().atMost(SOON).until(() -> one.knows(other) && other.knows(one));
            one.compute(tokens);
            await().atMost(SOON).until(() -> other.peering().index().stats().blocks() == 10);
            assertThat(other.reused(tokens)).isEqualTo(40);
            ClusterDescriptor shown = Objects
                    .requireNonNull(other.context.getBean(KvbmEndpoint.class).manager().cluster());
            assertThat(shown.nixl()).startsWith("NIXL ").contains(" is used with UCX, by agent ");
            assertThat(shown.taken().taken()).isEqualTo(10);
            assertThat(shown.peers()).singleElement().satisfies(peer -> {
                assertThat(peer.transport()).isEqualTo("nixl");
                assertThat(peer.blocksTaken()).isEqualTo(10);
            });
        }
    }

    @Test
    @ExtendWith(OutputCaptureExtension.class)
    void aBackendThatNixlHasNotStopsTheStart(CapturedOutput output) throws IOException {
        List<Integer> ports = Instance.freePorts(1);
        assertThat(catchThrowable(() -> Instance.start(ports.getFirst(), ports, "kvbm.nixl.enabled=true",
                "kvbm.nixl.backend=PIGEON", libraryPath()).close())).isNotNull();
        assertThat(output).contains("APPLICATION FAILED TO START",
                "kvbm.nixl.enabled is true, but NIXL is not used: ", "has no plugin PIGEON; NIXL offers [",
                "kvbm.nixl.backend what it uses");
    }
}
