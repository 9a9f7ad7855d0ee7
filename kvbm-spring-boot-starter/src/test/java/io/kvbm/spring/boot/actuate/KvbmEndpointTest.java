package io.kvbm.spring.boot.actuate;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

import com.jayway.jsonpath.DocumentContext;
import com.jayway.jsonpath.JsonPath;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.server.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.annotation.Configuration;

import io.kvbm.KvBlockManager;
import io.kvbm.KvSequence;
import io.kvbm.spring.boot.SmallCache;

import static org.assertj.core.api.Assertions.assertThat;

/** Over HTTP, as an operator sees it. */
class KvbmEndpointTest {

    private static final int[] PROMPT = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    private static final String WRITABLE = "management.endpoint.kvbm.access=unrestricted";
    private static final String EXPOSED = "management.endpoints.web.exposure.include=kvbm,health,info";

    @Test
    void itShowsSizesAndCounters() throws Exception {
        try (Server server = new Server(EXPOSED, "kvbm.worker-id=18446744073709551615", "kvbm.model.id=small",
                "kvbm.model.revision=r1",
                "kvbm.cluster.transport=same-host", "kvbm.cluster.ask-interval=3s")) {
            try (KvSequence sequence = server.manager().open(PROMPT, "")) {
                sequence.computed(PROMPT.length);
            }
            try (KvSequence _ = server.manager().open(PROMPT, "")) {
                HttpResponse<String> response = server.call("GET", "/actuator/kvbm");
                assertThat(response.statusCode()).isEqualTo(200);
                assertThat(response.headers().firstValue("Content-Type").orElseThrow()).contains("json");
                DocumentContext json = JsonPath.parse(response.body());
                assertThat(json.<String>read("$.workerId")).isEqualTo("18446744073709551615");
                assertThat(json.<String>read("$.fingerprint"))
                        .isEqualTo(server.manager().fingerprint().toString());
                assertThat(json.<Integer>read("$.model.layers")).isEqualTo(2);
                assertThat(json.<Integer>read("$.model.outer")).isEqualTo(2);
                assertThat(json.<Integer>read("$.model.pageSize")).isEqualTo(4);
                assertThat(json.<Integer>read("$.model.innerDim")).isEqualTo(16);
                assertThat(json.<String>read("$.model.dtype")).isEqualTo("FP16");
                assertThat(json.<String>read("$.model.identity")).isEqualTo("SHA256");
                assertThat(json.<String>read("$.levels[0].tier")).isEqualTo("host");
                assertThat(json.<Integer>read("$.levels[0].blockBytes")).isEqualTo(SmallCache.BLOCK_BYTES);
                assertThat(json.<Boolean>read("$.levels[0].lost")).isFalse();
                assertThat(json.<String>read("$.levels[0].memory.kind")).isEqualTo("system");
                assertThat(json.<List<?>>read("$.routes")).isEmpty();
                assertThat(json.<Integer>read("$.levels[0].memory.bytes")).isEqualTo(64 * SmallCache.BLOCK_BYTES);
                assertThat(json.<Integer>read("$.levels[0].memory.reservedBytes"))
                        .isEqualTo(64 * SmallCache.BLOCK_BYTES);
                assertThat(json.<String>read("$.levels[0].memory.layout")).isEqualTo("FULLY_CONTIGUOUS");
                assertThat(json.<Double>read("$.levels[0].hitRate")).isEqualTo(0.5);
                assertThat(json.<Integer>read("$.levels[0].stats.total")).isEqualTo(64);
                assertThat(json.<Integer>read("$.levels[0].stats.active")).isEqualTo(2);
                assertThat(json.<Integer>read("$.levels[0].stats.owned")).isEqualTo(1);
                assertThat(json.<Integer>read("$.levels[0].stats.registrations")).isEqualTo(2);
                assertThat(json.<Integer>read("$.sequences.open")).isEqualTo(1);
                assertThat(json.<Integer>read("$.sequences.opened")).isEqualTo(2);
                assertThat(json.<Integer>read("$.sequences.tokensRequested")).isEqualTo(18);
                assertThat(json.<Integer>read("$.sequences.tokensReused")).isEqualTo(8);
                assertThat(json.<Double>read("$.sequences.reuseRate")).isEqualTo(8.0 / 18);
                assertThat(json.<Integer>read("$.sequences.oldest[0].blocks")).isEqualTo(3);
                assertThat(json.<Integer>read("$.sequences.oldest[0].ageMillis")).isNotNegative();
                assertThat(json.<List<?>>read("$.sequences.oldest")).hasSize(1);
                assertThat(json.<List<?>>read("$.leaks")).isEmpty();
                assertThat(json.<String>read("$.configuration.reuse")).isEqualTo("LINEAGE");
                assertThat(json.<String>read("$.configuration.transferTimeout")).isEqualTo("PT30S");
                assertThat(json.<String>read("$.configuration.sharing.checksums")).isEqualTo("SAMPLED");
                assertThat(json.<List<String>>read("$.configuration.sharing.transports")).containsExactly("same-host");
                assertThat(json.<String>read("$.configuration.cluster.pollInterval")).isEqualTo("PT1S");
                assertThat(json.<String>read("$.configuration.cluster.askInterval")).isEqualTo("PT3S");
                assertThat(json.<String>read("$.configuration.cluster.timeout")).isEqualTo("PT2S");
                assertThat(json.<String>read("$.configuration.cluster.deadAfter")).isEqualTo("PT6S");
                assertThat(json.<String>read("$.configuration.cluster.absentAfter")).isEqualTo("PT1M");
                assertThat(json.<Integer>read("$.transfersInFlight")).isZero();
                assertThat(json.<Integer>read("$.events")).isOne();
                assertThat(json.<String>read("$.cluster.publication")).isEqualTo("STATIC");
                assertThat(json.<List<?>>read("$.cluster.peers")).isEmpty();
            }
        }
    }

    @Test
    void nothingOfAPromptAndNoIdentityOfABlockIsShown() throws Exception {
        try (Server server = new Server(EXPOSED)) {
            int[] prompt = {123456789, 123456790, 123456791, 123456792, 123456793};
            try (KvSequence sequence = server.manager().open(prompt, "tenant-of-a-secret")) {
                sequence.computed(prompt.length);
                String body = server.call("GET", "/actuator/kvbm").body();
                assertThat(body).doesNotContain("12345679", "tenant", "hash\"", "hashes\"", "address", "content");
                assertThat(names(body)).isNotEmpty()
                        .noneMatch(name -> name
                                .matches("(?i)tokens?|tokenIds?|.*content.*|identities|.*salt.*|.*tenant.*"));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"POST", "DELETE", "PUT", "PATCH"})
    void itIsReadOnlyUnlessMoreIsGranted(String method) throws Exception {
        try (Server server = new Server(EXPOSED)) {
            assertThat(server.call(method, "/actuator/kvbm").statusCode()).isEqualTo(405);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"POST", "PUT", "PATCH"})
    void nothingButToClearIsGranted(String method) throws Exception {
        try (Server server = new Server(EXPOSED, WRITABLE)) {
            assertThat(server.call(method, "/actuator/kvbm").statusCode()).isEqualTo(405);
        }
    }

    @Test
    void whoMayWriteClearsOneTenantOrAll() throws Exception {
        try (Server server = new Server(EXPOSED, WRITABLE)) {
            KvBlockManager manager = server.manager();
            for (String tenant : List.of("", "a", "b")) {
                try (KvSequence sequence = manager.open(PROMPT, tenant)) {
                    sequence.computed(PROMPT.length);
                }
            }
            assertThat(cleared(server, "?tenant=a")).isEqualTo(2);
            assertThat(reused(manager, "a")).isZero();
            assertThat(reused(manager, "b")).isEqualTo(8);
            assertThat(cleared(server, "?tenant=nobody")).isZero();
            assertThat(cleared(server, "?tenant=")).isEqualTo(2);
            assertThat(reused(manager, "")).isZero();
            assertThat(reused(manager, "b")).isEqualTo(8);
            assertThat(server.call("DELETE", "/actuator/kvbm").statusCode()).as("of whom is not said").isEqualTo(400);
            assertThat(server.call("DELETE", "/actuator/kvbm?tennant=a").statusCode()).isEqualTo(400);
            assertThat(server.call("DELETE", "/actuator/kvbm?all=true&tenant=a").statusCode()).isEqualTo(400);
            assertThat(reused(manager, "b")).isEqualTo(8);
            assertThat(cleared(server, "?all=true")).isEqualTo(2);
            assertThat(reused(manager, "b")).isZero();
        }
    }

    private static int cleared(Server server, String query) throws IOException, InterruptedException {
        HttpResponse<String> response = server.call("DELETE", "/actuator/kvbm" + query);
        assertThat(response.statusCode()).isEqualTo(200);
        return JsonPath.parse(response.body()).read("$.blocks");
    }

    private static int reused(KvBlockManager manager, String tenant) {
        try (KvSequence sequence = manager.open(PROMPT, tenant)) {
            return sequence.reusedTokens();
        }
    }

    @Test
    void itIsNotExposedByDefault() throws Exception {
        try (Server server = new Server()) {
            assertThat(server.call("GET", "/actuator/kvbm").statusCode()).isEqualTo(404);
            assertThat(server.call("GET", "/actuator/health").statusCode()).isEqualTo(200);
            assertThat(server.context.getBeanNamesForType(KvbmEndpoint.class)).isEmpty();
        }
    }

    @Test
    void withoutAccessItIsGone() throws Exception {
        try (Server server = new Server(EXPOSED, "management.endpoint.kvbm.access=none")) {
            assertThat(server.call("GET", "/actuator/kvbm").statusCode()).isEqualTo(404);
            assertThat(server.context.getBeanNamesForType(KvbmEndpoint.class)).isEmpty();
        }
    }

    @Test
    void healthAndInfoAreThereToo() throws Exception {
        try (Server server = new Server(EXPOSED, "management.endpoint.health.show-details=always")) {
            DocumentContext health = JsonPath.parse(server.call("GET", "/actuator/health").body());
            assertThat(health.<String>read("$.components.kvbm.status")).isEqualTo("UP");
            assertThat(health.<Integer>read("$.components.kvbm.details.host.usable")).isEqualTo(64);
            DocumentContext info = JsonPath.parse(server.call("GET", "/actuator/info").body());
            assertThat(info.<Integer>read("$.kvbm.host.blocks")).isEqualTo(64);
            assertThat(info.<Integer>read("$.kvbm.pageSize")).isEqualTo(4);
        }
    }

    private static List<String> names(String json) {
        return Pattern.compile("\"(\\w+)\":").matcher(json).results().map(match -> match.group(1)).toList();
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {}

    private static final class Server implements AutoCloseable {

        private final ServletWebServerApplicationContext context;
        private final HttpClient client = HttpClient.newHttpClient();

        Server(String... properties) {
            Map<String, Object> values = new HashMap<>(Map.of("server.port", 0));
            for (String property : SmallCache.properties(properties)) {
                values.put(property.substring(0, property.indexOf('=')), property.substring(property.indexOf('=') + 1));
            }
            SpringApplication application = new SpringApplication(Application.class);
            application.setDefaultProperties(values);
            context = (ServletWebServerApplicationContext) application.run();
        }

        KvBlockManager manager() {
            return context.getBean(KvBlockManager.class);
        }

        HttpResponse<String> call(String method, String path) throws IOException, InterruptedException {
            URI uri = URI.create(
                    "http://localhost:" + context.getEnvironment().getRequiredProperty("local.server.port") + path);
            return client.send(HttpRequest.newBuilder(uri).method(method, BodyPublishers.noBody()).build(),
                    BodyHandlers.ofString());
        }

        @Override
        public void close() {
            client.close();
            context.close();
        }
    }
}
