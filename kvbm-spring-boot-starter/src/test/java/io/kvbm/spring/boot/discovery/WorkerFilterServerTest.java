package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;

import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletResponse;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configuration.EnableWebSecurity;
import org.springframework.security.web.SecurityFilterChain;

import io.kvbm.KvBlockManager;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerRequest;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.token.ModelIdentity;

import static org.assertj.core.api.Assertions.assertThat;

/** An application below a context path, with Spring Security, filters of its own and all of the actuator. */
@ExtendWith(OutputCaptureExtension.class)
class WorkerFilterServerTest {

    private static final String STATE = "/app/kvbm/state?asker=1";
    private static final int CAP = ControlCodec.MAX_REQUEST_BYTES;

    /** Requests that went past our filter. */
    private static final AtomicInteger REACHED = new AtomicInteger();

    private static ConfigurableApplicationContext context;
    private static int port;

    private final Member member = new Member(Member.KEY, InstantSource.system());

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @EnableWebSecurity
    static class Application {

        @Bean
        ModelIdentity model() {
            return SmallCache.identity();
        }

        /** Lets the health be seen and nothing else, and wants tokens against forgery. */
        @Bean
        SecurityFilterChain chain(HttpSecurity http) throws Exception {
            return http.authorizeHttpRequests(requests -> requests.requestMatchers("/actuator/**", "/open")
                    .permitAll()
                    .anyRequest()
                    .denyAll()).build();
        }

        @Bean
        FilterRegistrationBean<Filter> late() {
            FilterRegistrationBean<Filter> filter = new FilterRegistrationBean<>((request, response, chain) -> {
                REACHED.incrementAndGet();
                chain.doFilter(request, response);
            });
            filter.setOrder(Ordered.HIGHEST_PRECEDENCE + 100);
            return filter;
        }

        @Bean
        FilterRegistrationBean<Filter> early() {
            FilterRegistrationBean<Filter> filter = new FilterRegistrationBean<>((request, response, chain) -> {
                ((HttpServletResponse) response).setHeader("Early", "yes");
                chain.doFilter(request, response);
            });
            filter.setOrder(Ordered.HIGHEST_PRECEDENCE);
            return filter;
        }
    }

    @BeforeAll
    static void start() {
        context = new SpringApplicationBuilder(Application.class).run("--server.port=0",
                "--server.servlet.context-path=/app", "--spring.main.banner-mode=off", "--kvbm.host.blocks=64",
                "--kvbm.cluster.key=" + Member.KEY, "--management.endpoints.web.exposure.include=*",
                "--server.forward-headers-strategy=framework");
        port = Objects.requireNonNull(((WebServerApplicationContext) context).getWebServer()).getPort();
    }

    @AfterAll
    static void stop() {
        context.close();
    }

    @AfterEach
    void nothingReachedTheApplicationUnseen() {
        REACHED.set(0);
    }

    private Wire.Reply get(String target) throws IOException {
        return Wire.send(port, "GET", target, member.headers("GET", target, Member.NOTHING));
    }

    private static void refused(Wire.Reply reply, int status, String why) {
        assertThat(reply.status()).as(reply.text()).isEqualTo(status);
        assertThat(reply.body()).contains(why);
        assertThat(reply.text()).doesNotContain(MessageSigner.SIGNATURE, "\tat ", "Exception", "<html");
        assertThat(REACHED).hasValue(0);
    }

    private static byte[] body(Wire.Reply reply) {
        return reply.body().getBytes(StandardCharsets.ISO_8859_1);
    }

    // ---------------------------------------------------------------------------------------------- answered

    @Test
    void aMemberIsAnsweredBeforeTheApplicationsSecurityAndBehindWhatComesFirst() throws IOException {
        Wire.Reply reply = get(STATE);
        assertThat(reply.status()).as(reply.text()).isEqualTo(200);
        assertThat(reply.text()).contains("Early: yes").doesNotContain("X-Frame-Options", "Set-Cookie");
        assertThat(ControlCodec.decodeAnswer(body(reply))).isInstanceOf(PeerAnswer.State.class);
        assertThat(REACHED).hasValue(0);
    }

    @Test
    void theApplicationsSecurityIsAsItWas() throws IOException {
        assertThat(Wire.send(port, "GET", "/app/kvbmx/state", Map.of()).status()).isEqualTo(403);
        assertThat(Wire.send(port, "GET", "/app/closed", Map.of()).text()).contains("403", "X-Frame-Options");
        assertThat(Wire.send(port, "POST", "/app/open", Map.of()).status()).isEqualTo(403); // no token
        assertThat(Wire.send(port, "GET", "/app/open", Map.of()).status()).isEqualTo(404);
        assertThat(REACHED.get()).isGreaterThanOrEqualTo(4);
    }

    @Test
    void aQuestionInPiecesIsAnswered() throws IOException {
        byte[] message = ControlCodec.encode(new PeerRequest.Export(1));
        Addressee owner = Addressee.of(context.getBean(KvBlockManager.class).peering().orElseThrow().local());
        Map<String, String> headers = member.to(owner).headers("POST", "/app/kvbm/ask", message);
        headers.put("Transfer-Encoding", "chunked");
        StringBuilder chunks = new StringBuilder();
        for (byte each : message) {
            chunks.append("1\r\n").append((char) (each & 0xff)).append("\r\n");
        }
        Wire.Reply reply = Wire.send(port, Wire.request("POST", "/app/kvbm/ask", headers) + "\r\n",
                (chunks + "0\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1));
        assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    }

    // ---------------------------------------------------------------------------------------------- refused

    @ParameterizedTest
    @CsvSource({"GET, /app/kvbm/state", "GET, /app/kvbm/blockset", "POST, /app/kvbm/ask", "GET, /app/kvbm",
        "GET, /app/kvbm/", "GET, /app/kvbm/nothing", "PUT, /app/kvbm/ask", "OPTIONS, /app/kvbm/state",
        "DELETE, /app/kvbm/x", "GET, //app/kvbm/state", "GET, /app//kvbm/state", "GET, /app/%6bvbm/state",
        "GET, /app/./kvbm/state", "GET, /app/x/../kvbm/state", "GET, /app/kvbm;jsessionid=1/state",
        "GET, /app;a=b/kvbm/state"})
    void withoutTheKeyNothingButARefusalIsLearnt(String method, String target) throws IOException {
        refused(Wire.send(port, method, target, Map.of("Content-Length", "0")), 401,
                "The question is not signed; set kvbm.cluster.key on all instances");
        refused(Wire.send(port, method, target,
                new Member(Member.OTHER_KEY, InstantSource.system()).headers(method, target, Member.NOTHING)), 401,
                "The signature is wrong; set the same kvbm.cluster.key on all instances");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/app//kvbm/state?asker=1", "//app/kvbm/state?asker=1", "/app/kvbm//state?asker=1",
        "/app/%6bvbm/state?asker=1", "/%61pp/kvbm/state?asker=1", "/app/kvbm/%73tate?asker=1",
        "/app/./kvbm/state?asker=1", "/app/kvbm/./state?asker=1", "/app/x/../kvbm/state?asker=1",
        "/app/kvbm;jsessionid=1/state?asker=1", "/app/kvbm/state;jsessionid=1?asker=1", "/app;a=b/kvbm/state?asker=1",
        "/app/kvbm/x/%2e%2e/state?asker=1", "/app/kvbm/%2e/state?asker=1", "/app/kvbm", "/app/kvbm/"})
    void aMemberThatWritesThePathOtherwiseIsRefusedOrAnsweredAndTheApplicationSeesNothingOfIt(String target)
            throws IOException {
        Wire.Reply reply = get(target);
        assertThat(reply.status()).as(reply.text()).isIn(200, 404);
        assertThat(REACHED).hasValue(0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/app/kvbm/%2fstate", "/app/kvbm/%00", "/app/kvbm/..%2fx", "/app/%zz"})
    void whatTheWebServerItselfRefusesReachesNobody(String target) throws IOException {
        assertThat(Wire.send(port, "GET", target, Map.of()).status()).isEqualTo(400);
        assertThat(REACHED).hasValue(0);
    }

    @ParameterizedTest
    @CsvSource({"X-Forwarded-Prefix, /a/much/longer/prefix", "X-Forwarded-Prefix, /", "X-Forwarded-Host, kvbm",
        "X-Forwarded-For, 127.0.0.1", "X-HTTP-Method-Override, POST"})
    void headersOfProxiesChangeNothingOfWhatIsSigned(String header, String value) throws IOException {
        Map<String, String> headers = member.headers("GET", STATE, Member.NOTHING);
        headers.put(header, value);
        assertThat(Wire.send(port, "GET", STATE, headers).status()).isIn(200, 401);
        assertThat(REACHED).hasValue(0);
    }

    @Test
    void theMethodIsPartOfTheQuestion() throws IOException {
        refused(Wire.send(port, "DELETE", STATE, member.headers("DELETE", STATE, Member.NOTHING)), 405,
                "There is GET /state, GET /blockset and POST /ask");
        refused(Wire.send(port, "GET", "/app/kvbm/ask", member.headers("GET", "/app/kvbm/ask", Member.NOTHING)), 405,
                "POST /ask");
    }

    @Test
    void theOrderOfTheQueryIsPartOfTheQuestion() throws IOException {
        Map<String, String> headers = member.headers("GET", STATE + "&x=2", Member.NOTHING);
        refused(Wire.send(port, "GET", "/app/kvbm/state?x=2&asker=1", headers), 401, "signature is wrong");
        assertThat(Wire.send(port, "GET", STATE + "&x=2", headers).status()).isEqualTo(200);
    }

    @Test
    void whatIsAskedAgainIsRefused() throws IOException {
        Map<String, String> headers = member.headers("GET", STATE, Member.NOTHING);
        assertThat(Wire.send(port, "GET", STATE, headers).status()).isEqualTo(200);
        refused(Wire.send(port, "GET", STATE, headers), 401, "asked before");
    }

    @Test
    void aRefusalWithoutAskerSaysWhatIsMissing() throws IOException {
        refused(get("/app/kvbm/state"), 400, "parameter asker");
    }

    // ---------------------------------------------------------------------------------------------- too much

    @Test
    void whatSaysThatItIsTooLongIsRefusedBeforeItIsSent() throws IOException {
        Map<String, String> headers = member.headers("POST", "/app/kvbm/ask", Member.NOTHING);
        headers.put("Content-Length", String.valueOf(1 << 30));
        refused(Wire.send(port, Wire.request("POST", "/app/kvbm/ask", headers) + "\r\n", Member.NOTHING), 413,
                "over " + CAP + " bytes");
    }

    @Test
    void whatComesInPiecesWithoutEndIsReadNoFurtherThanTheCap() throws IOException {
        Map<String, String> headers = new HashMap<>(member.headers("POST", "/app/kvbm/ask", Member.NOTHING));
        headers.put("Transfer-Encoding", "chunked");
        byte[] chunk = ("10000\r\n" + "x".repeat(1 << 16) + "\r\n").getBytes(StandardCharsets.ISO_8859_1);
        long sent = 0;
        try (Socket socket = Wire.open(port)) {
            OutputStream out = socket.getOutputStream();
            out.write(Wire.request("POST", "/app/kvbm/ask", headers).getBytes(StandardCharsets.ISO_8859_1));
            out.write("\r\n".getBytes(StandardCharsets.ISO_8859_1));
            for (; sent < 256L << 20; sent += chunk.length) {
                out.write(chunk);
            }
        } catch (SocketException e) {
            // the web server has closed the connection
        }
        assertThat(sent).isLessThan(64L << 20); // the cap, what Tomcat throws away, and what is on its way
        assertThat(get(STATE).status()).isEqualTo(200);
        assertThat(REACHED).hasValue(0);
    }

    @Test
    void whatBreaksOffIsRefusedWithoutANoiseInTheLog(CapturedOutput output) throws IOException {
        Map<String, String> headers = new HashMap<>(member.headers("POST", "/app/kvbm/ask", Member.NOTHING));
        headers.put("Transfer-Encoding", "chunked");
        refused(Wire.send(port, Wire.request("POST", "/app/kvbm/ask", headers) + "\r\n", Member.bytes("nonsense\r\n")),
                400, "Bad Request"); // Tomcat has put its own refusal for ours
        assertThat(output.getAll()).doesNotContain("ERROR", "Exception");
    }

    // ---------------------------------------------------------------------------------------------- elsewhere

    @ParameterizedTest
    @ValueSource(strings = {"/app/actuator/kvbm/state", "/app/actuator/kvbm/state?asker=1",
        "/app/actuator/kvbm/blockset", "/app/actuator/kvbm/ask", "/app/actuator/state"})
    void theActuatorAnswersNoQuestion(String target) throws IOException {
        for (String method : List.of("GET", "POST")) {
            Wire.Reply reply = Wire.send(port, method, target,
                    new HashMap<>(member.headers(method, target, Member.NOTHING)));
            assertThat(reply.status()).as(reply.text()).isIn(403, 404, 405);
            assertThat(reply.text()).doesNotContain(MessageSigner.SIGNATURE, "kvbm-ctl");
        }
    }

    @Test
    void theActuatorOnAPortOfItsOwnAnswersNoQuestion() throws IOException {
        try (ConfigurableApplicationContext other = new SpringApplicationBuilder(Application.class).run(
                "--server.port=0", "--spring.main.banner-mode=off", "--kvbm.host.blocks=64",
                "--kvbm.cluster.key=" + Member.KEY, "--management.server.port=0",
                "--management.endpoints.web.exposure.include=*")) {
            int management = other.getEnvironment().getRequiredProperty("local.management.port", Integer.class);
            int own = other.getEnvironment().getRequiredProperty("local.server.port", Integer.class);
            String target = "/kvbm/state?asker=1";
            assertThat(Wire.send(own, "GET", target, member.headers("GET", target, Member.NOTHING)).status())
                    .isEqualTo(200);
            assertThat(Wire.send(management, "GET", target, member.headers("GET", target, Member.NOTHING)).text())
                    .doesNotContain(MessageSigner.SIGNATURE, "kvbm-ctl")
                    .containsAnyOf(" 403 ", " 404 ");
        }
    }
}
