package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslStoreBundle;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** Applications that know each other by certificates and have no key, on one machine, where that is not enough then. */
@EnabledOnOs(OS.LINUX)
@ExtendWith(OutputCaptureExtension.class)
class TlsClusterTest {

    private static final Duration SOON = Duration.ofSeconds(20);
    private static final String PATH = "/kvbm/state?asker=1";
    private static final int[] TOKENS = IntStream.range(0, 41).toArray();

    private final Certificates certificates = Certificates.made();

    /** How an instance is set up that trusts these authorities, and whose web server trusts every one. */
    private String[] secured(String name, String... authorities) {
        List<String> properties = new ArrayList<>(clustered(name, authorities));
        properties.addAll(certificates.properties("web", name, Certificates.AUTHORITY,
                Certificates.FOREIGN_AUTHORITY));
        properties.addAll(List.of("server.ssl.bundle=web", "server.ssl.client-auth=want"));
        return properties.toArray(String[]::new);
    }

    /** The same with a web server that knows nothing of TLS. */
    private List<String> clustered(String name, String... authorities) {
        List<String> properties = new ArrayList<>(certificates.properties("cluster", name, authorities));
        properties.add("kvbm.cluster.ssl-bundle=cluster");
        return properties;
    }

    private static void meet(Instance one, Instance other) {
        await().atMost(SOON).until(() -> one.knows(other) && other.knows(one));
    }

    /** The fixed list has http of them all. */
    @Test
    void instancesWithCertificatesOfOneAuthorityShareBlocks() throws IOException {
        List<Integer> ports = Instance.freePorts(2);
        try (Instance one = Instance.start(ports.get(0), ports, secured(Certificates.ONE, Certificates.AUTHORITY));
                Instance other = Instance.start(ports.get(1), ports,
                        secured(Certificates.OTHER, Certificates.AUTHORITY))) {
            meet(one, other);
            one.compute(TOKENS);
            await().atMost(SOON).until(() -> other.peering().index().stats().blocks() == 10);
            assertThat(other.reused(TOKENS)).isEqualTo(40);
            assertThat(other.peering().taker().stats().taken()).isEqualTo(10);
            assertThat(one.member.rejected() + other.member.rejected()).isZero();
        }
    }

    @Test
    void whoHasACertificateOfAnotherAuthorityIsRefusedAndLearnsNothing() throws IOException {
        List<Integer> ports = Instance.freePorts(2);
        try (Instance one = Instance.start(ports.get(0), ports, secured(Certificates.ONE, Certificates.AUTHORITY));
                Instance foreigner = Instance.start(ports.get(1), ports, secured(Certificates.FOREIGNER,
                        Certificates.AUTHORITY, Certificates.FOREIGN_AUTHORITY))) {
            await().atMost(SOON).until(() -> one.member.rejected() > 2 && one.member.refusals() > 2);
            assertThat(foreigner.member.rejected()).isZero(); // nobody has come as far as to ask
            assertThat(one.peering().peers()).isEmpty();
            assertThat(foreigner.peering().peers()).isEmpty();
            assertThat(foreigner.peering().index().stats().blocks()).isZero();
        }
    }

    @Test
    void onlyWhoShowsACertificateOfTheClustersAuthorityIsAnsweredOnThisMachineToo() throws Exception {
        int port = Instance.freePorts(1).getFirst();
        try (Instance one = Instance.start(port, List.of(), secured(Certificates.ONE, Certificates.AUTHORITY))) {
            SslBundle member = certificates.bundle(Certificates.OTHER, Certificates.AUTHORITY);
            assertThat(get(port, member).statusCode()).isEqualTo(200);
            assertThat(one.member.rejected()).isZero();
            refused(get(port, certificates.bundle(Certificates.FOREIGNER, Certificates.AUTHORITY)));
            refused(get(port, SslBundle.of(SslStoreBundle.of(null, null, member.getStores().getTrustStore()))));
            assertThat(one.member.rejected()).isEqualTo(2);
            assertThat(Wire.send(port, "GET", PATH, Map.of()).text()).contains("400").doesNotContain("kvbm");
        }
    }

    @Test
    void plainTextIsRefusedAndNotSpoken(CapturedOutput output) throws IOException {
        List<Integer> ports = Instance.freePorts(2);
        try (Instance one = Instance.start(ports.get(0), ports, secured(Certificates.ONE, Certificates.AUTHORITY));
                Instance plain = Instance.start(ports.get(1), ports,
                        clustered(Certificates.OTHER, Certificates.AUTHORITY).toArray(String[]::new))) {
            await().atMost(SOON).until(() -> plain.knows(one)); // which is asked over TLS and answers
            await().atMost(SOON).until(() -> one.member.refusals() > 2);
            assertThat(one.peering().peers()).isEmpty();
            assertThat(plain.member.rejected()).isZero();
            Wire.Reply reply = Wire.send(plain.port, "GET", PATH, Map.of());
            assertThat(reply.status()).isEqualTo(403);
            assertThat(reply.body()).contains("kvbm.cluster.ssl-bundle", "kvbm.cluster.key");
            assertThat(plain.member.rejected()).isEqualTo(1);
        }
        assertThat(output).contains("No blocks are taken from another instance: https://localhost:" + ports.get(1));
    }

    private static void refused(HttpResponse<String> response) {
        assertThat(response.statusCode()).isEqualTo(403);
        assertThat(response.body()).contains("kvbm.cluster.ssl-bundle", "server.ssl.client-auth", "kvbm.cluster.key");
    }

    private static HttpResponse<String> get(int port, SslBundle bundle) throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newBuilder().sslContext(bundle.createSslContext()).build()) {
            return client.send(HttpRequest.newBuilder(URI.create("https://localhost:" + port + PATH))
                    .timeout(SOON)
                    .build(), HttpResponse.BodyHandlers.ofString());
        }
    }
}
