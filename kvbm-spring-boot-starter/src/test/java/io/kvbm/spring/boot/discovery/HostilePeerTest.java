package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.logging.LogLevel;
import org.springframework.boot.logging.LoggingSystem;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;

import io.kvbm.KvBlockManager;
import io.kvbm.KvBlockManagerConfig;
import io.kvbm.KvManagerLayoutConfig;
import io.kvbm.KvManagerModelConfig;
import io.kvbm.KvManagerRuntimeConfig;
import io.kvbm.KvManagerSharingConfig;
import io.kvbm.KvSequence;
import io.kvbm.error.RemoteException;
import io.kvbm.remote.Blockset;
import io.kvbm.remote.BlocksetCodec;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerRequest;
import io.kvbm.remote.Peering;
import io.kvbm.remote.Reconciler;
import io.kvbm.remote.ReconcilerSettings;
import io.kvbm.spring.boot.SmallCache;
import io.kvbm.storage.HostAllocator;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Two workers, and somebody between them. {@code KVBM_SEED} repeats a failure, {@code KVBM_SCALE} multiplies the number
 * of inputs.
 */
@EnabledOnOs(OS.LINUX)
@ExtendWith(OutputCaptureExtension.class)
class HostilePeerTest {

    private static final int INPUTS = 12_500 * Integer.parseInt(System.getenv().getOrDefault("KVBM_SCALE", "1"));
    private static final String ADDRESS = "http://192.0.2.7:8080/kvbm";
    private static final long HERE = 7;
    private static final long THERE = 8;

    @BeforeAll
    static void logsAsApplicationsDo() {
        LoggingSystem.get(HostilePeerTest.class.getClassLoader())
                .setLogLevel(LoggingSystem.ROOT_LOGGER_NAME,
                        LogLevel.INFO);
    }

    private final long seed = Optional.ofNullable(System.getenv("KVBM_SEED"))
            .map(Long::parseLong)
            .orElseGet(() -> new Random().nextLong());
    private final Random random = new Random(seed);
    private final ManualTime time = new ManualTime();
    private final MessageSigner signer = new MessageSigner(Member.KEY);
    private final Member anybodys = new Member(Member.KEY, time, random);
    private final Member stranger = new Member(Member.OTHER_KEY, time, random);

    /** Of whom memory would have been mapped. */
    private final List<Blockset> mapped = new ArrayList<>();
    private final KvBlockManager here = manager(HERE);
    private final KvBlockManager there = manager(THERE);
    private final List<PeerRequest> asked = new ArrayList<>();
    private final Addressee owner = Addressee.of(peering(there).local());
    private final Member member = anybodys.to(owner);
    private final WorkerFilter filter = new WorkerFilter("/kvbm", new WorkerFilter.Desk(owner, request -> {
        asked.add(request);
        return peering(there).desk().ask(request);
    }), new Gatekeeper(signer, null, false, time), signer, time);

    HostilePeerTest() {
        System.out.println("HostilePeerTest: KVBM_SEED=" + seed);
        try (KvSequence sequence = there.open(new int[]{1, 2, 3, 4, 5, 6, 7, 8, 9}, "")) {
            sequence.computed(9);
        }
    }

    private KvBlockManager manager(long worker) {
        return new KvBlockManager(KvBlockManagerConfig.builder()
                .runtime(KvManagerRuntimeConfig.builder().workerId(worker).build())
                .model(KvManagerModelConfig.of(SmallCache.identity()))
                .hostLayout(KvManagerLayoutConfig.builder()
                        .numBlocks(8)
                        .allocator(HostAllocator.builder().build())
                        .build())
                .sharing(KvManagerSharingConfig.builder().memories(blockset -> {
                    mapped.add(blockset);
                    return Optional.empty();
                }).build())
                .clock(time)
                .build());
    }

    private static Peering peering(KvBlockManager manager) {
        return manager.peering().orElseThrow();
    }

    @AfterEach
    void close() {
        here.close();
        there.close();
    }

    private MockHttpServletResponse send(MockHttpServletRequest request) {
        MockHttpServletResponse response = new MockHttpServletResponse();
        try {
            filter.doFilter(request, response, (_, _) -> {
                throw new AssertionError("The application was reached");
            });
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return response;
    }

    // ---------------------------------------------------------------------------------------------- material

    private byte[] noise(int atMost) {
        byte[] noise = new byte[random.nextInt(atMost + 1)];
        random.nextBytes(noise);
        return noise;
    }

    /** The bytes, but for some of them. */
    private byte[] mutated(byte[] bytes) {
        byte[] mutated = switch (random.nextInt(4)) {
            case 0 -> Arrays.copyOf(bytes, random.nextInt(bytes.length + 1)); // cut off
            case 1 -> Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(16)); // something behind
            default -> bytes.clone();
        };
        for (int i = random.nextInt(4); i >= 0 && mutated.length > 0; i--) {
            int at = random.nextInt(mutated.length);
            if (random.nextBoolean()) {
                mutated[at] ^= (byte) (1 << random.nextInt(8));
            } else {
                mutated[at] = (byte) (random.nextBoolean() ? -1 : random.nextInt(256));
            }
        }
        return Arrays.equals(mutated, bytes) ? Arrays.copyOf(bytes, bytes.length + 1) : mutated;
    }

    private static byte[] ofForeignVersion(byte[] message) {
        return message.length < 12 ? message
                : ByteBuffer.wrap(message.clone())
                        .putShort(8, (short) 9)
                        .putShort(10, (short) 9)
                        .array();
    }

    private int slot() {
        return random.nextInt(8) == 0 ? Integer.MAX_VALUE : random.nextInt(9);
    }

    /** A question that can be made, sensible or not. */
    private PeerRequest question() {
        long asker = random.nextBoolean() ? HERE : random.nextLong();
        long epoch = random.nextBoolean() ? peering(there).local().epoch() : random.nextLong();
        int set = random.nextInt(3);
        return switch (random.nextInt(7)) {
            case 0 -> new PeerRequest.State(asker);
            case 1 -> new PeerRequest.Export(asker);
            case 2 -> new PeerRequest.Events(asker, epoch, random.nextBoolean() ? 0 : random.nextLong());
            case 3 -> new PeerRequest.Lease(asker, epoch, set, new int[]{slot(), slot()},
                    new long[]{random.nextInt(3), random.nextLong(Long.MAX_VALUE)},
                    Duration.ofMillis(1 + random.nextInt(1000)));
            case 4 -> new PeerRequest.EndLease(asker, epoch, random.nextLong());
            case 5 -> new PeerRequest.Pull(asker, random.nextLong(), epoch, set, new int[]{slot()},
                    new long[]{random.nextLong()}, random.nextInt(2), set, new int[]{slot()}, "");
            default -> new PeerRequest.Notify(asker, "news");
        };
    }

    /** A request that says what a question does. */
    private MockHttpServletRequest request(Member who, PeerRequest question) {
        String asker = Long.toUnsignedString(question.asker());
        return switch (question) {
            case PeerRequest.State _ when random.nextBoolean() -> who.request("GET", "/kvbm/state?asker=" + asker,
                    Member.NOTHING);
            case PeerRequest.Export _ when random.nextBoolean() -> who.request("GET", "/kvbm/blockset?asker=" + asker,
                    Member.NOTHING);
            default -> who.request("POST", "/kvbm/ask", ControlCodec.encode(question));
        };
    }

    // ---------------------------------------------------------------------------------------------- questions

    @Test
    void questionsOfStrangersAreRefusedAndThoseOfMembersAreAnsweredOrRefused() {
        List<MockHttpServletRequest> admitted = new ArrayList<>();
        long refused = 0;
        Map<Integer, Integer> seen = new HashMap<>();
        for (int i = 0; i < INPUTS; i++) {
            time.pass(Duration.ofMillis(random.nextInt(20)));
            peering(there).advance();
            asked.clear();
            int kind = random.nextInt(11);
            MockHttpServletRequest request = question(kind, admitted);
            MockHttpServletResponse response = send(request);
            int status = response.getStatus();
            seen.merge(status, 1, Integer::sum);
            if (kind <= 5) { // nobody who has the key has just asked that
                assertThat(status).as("kind %s of input %s", kind, i).isIn(401, 413);
            } else if (kind == 6) {
                assertThat(status).isEqualTo(421);
            } else if (kind == 10) {
                assertThat(status).isEqualTo(200);
            }
            assertThat(asked).hasSize(status == 200 ? 1 : 0);
            if (status == 200) {
                byte[] body = response.getContentAsByteArray();
                assertThat(ControlCodec.decodeAnswer(body)).isNotNull();
                assertThat(response.getHeader(MessageSigner.SIGNATURE)).isEqualTo(signer
                        .answer(String.valueOf(request.getHeader(MessageSigner.NONCE)), 200, body));
                if (admitted.size() < 1000) {
                    admitted.add(request);
                }
            } else {
                assertThat(status).isIn(400, 401, 404, 405, 413, 421);
                assertThat(response.getHeader(MessageSigner.SIGNATURE)).isNull();
                assertThat(response.getContentType()).startsWith("text/plain");
                refused++;
            }
            assertThat(filter.rejected()).isEqualTo(refused);
        }
        assertThat(seen).containsOnlyKeys(200, 400, 401, 404, 405, 413, 421);
        assertThat(peering(there).desk().failures()).isZero();
        assertThat(mapped).isEmpty();
        time.pass(Duration.ofHours(1));
        peering(there).advance(); // what was leased is over
        assertThat(there.host().orElseThrow().stats().holders()).isZero();
    }

    private MockHttpServletRequest question(int kind, List<MockHttpServletRequest> admitted) {
        PeerRequest question = question();
        return switch (kind) {
            case 0 -> {
                MockHttpServletRequest request = request(member, question);
                request.removeHeader(List.of(MessageSigner.TIME, MessageSigner.NONCE, MessageSigner.SIGNATURE)
                        .get(random.nextInt(3)));
                yield request;
            }
            case 1 -> request(stranger, question);
            case 2 -> {
                if (!admitted.isEmpty()) {
                    yield admitted.get(random.nextInt(admitted.size()));
                }
                yield request(stranger, question);
            }
            case 3 -> changed(request(member, question));
            case 4 -> {
                MockHttpServletRequest request = request(member, question);
                for (String header : List.of(MessageSigner.TIME, MessageSigner.NONCE, MessageSigner.SIGNATURE)) {
                    if (random.nextBoolean()) {
                        replace(request, header, new String(noise(70), StandardCharsets.ISO_8859_1));
                    }
                }
                replace(request, MessageSigner.SIGNATURE, "0".repeat(64));
                yield request;
            }
            case 5 -> random.nextInt(20) > 0 ? changed(request(member, question))
                    : member.request("POST", "/kvbm/ask", new byte[ControlCodec.MAX_REQUEST_BYTES + 1]);
            // from here on whoever asks has the key, and may be mad
            case 6 -> request(anybodys.to(random.nextBoolean() ? new Addressee(THERE, random.nextLong())
                    : new Addressee(random.nextLong(), owner.epoch())), question);
            case 7 -> member.request("POST", "/kvbm/ask", ofForeignVersion(ControlCodec.encode(question)));
            case 8 -> member.request("POST", "/kvbm/ask",
                    random.nextBoolean() ? noise(200) : mutated(ControlCodec.encode(question)));
            case 9 -> member.request(random.nextBoolean() ? "GET" : "POST",
                    List.of("/kvbm/state", "/kvbm", "/", "/kvbm/state?asker=x", "/kvbm/blockset?asker", "/kvbm/ask/",
                            "/kvbm//ask", "/kvbm/state?asker=1").get(random.nextInt(8)),
                    noise(20));
            default -> request(member, question);
        };
    }

    /** What was signed is not what arrives. */
    private MockHttpServletRequest changed(MockHttpServletRequest request) {
        switch (random.nextInt(6)) {
            case 0 -> request.setContent(mutated(Objects.requireNonNullElse(request.getContentAsByteArray(),
                    Member.NOTHING)));
            case 1 -> request.setMethod("GET".equals(request.getMethod()) ? "POST" : "GET");
            case 2 -> request.setRequestURI(request.getRequestURI() + "/");
            case 3 -> request.setQueryString(request.getQueryString() + "&x");
            case 4 -> replace(request, Addressee.HEADER, new Addressee(THERE, random.nextLong()).toString());
            default -> replace(request, MessageSigner.NONCE, member.nonce());
        }
        return request;
    }

    private static void replace(MockHttpServletRequest request, String header, String value) {
        request.removeHeader(header);
        request.addHeader(header, value);
    }

    // ---------------------------------------------------------------------------------------------- answers

    /** Carries questions to the worker that is there, and answers back, of which one is tampered with. */
    private final class Between {

        private int exchange;
        private int tampered;
        private int how;
        private MemoryHttp.Reply earlier = new MemoryHttp.Reply(200, Map.of(), Member.NOTHING);

        private MemoryHttp.Reply carry(HttpRequest request, byte[] body) {
            MockHttpServletRequest question = Member.unsigned(request.method(),
                    request.uri().getRawPath() + (request.uri().getRawQuery() == null ? ""
                            : "?" + request.uri().getRawQuery()),
                    body);
            request.headers().map().forEach((name, values) -> question.addHeader(name, values.getFirst()));
            MockHttpServletResponse response = send(question);
            Map<String, List<String>> headers = new HashMap<>();
            response.getHeaderNames().forEach(name -> headers.put(name, response.getHeaders(name)));
            MemoryHttp.Reply reply = new MemoryHttp.Reply(response.getStatus(), headers,
                    response.getContentAsByteArray());
            MemoryHttp.Reply given = exchange++ == tampered
                    ? tamper(reply, String.valueOf(question.getHeader(MessageSigner.NONCE)))
                    : reply;
            earlier = reply;
            return given;
        }

        private MemoryHttp.Reply tamper(MemoryHttp.Reply reply, String nonce) {
            byte[] body = reply.body();
            return switch (how) {
                case 0 -> with(reply, 200, body, null);
                case 1 -> with(reply, 200, body, new MessageSigner(Member.OTHER_KEY).answer(nonce, 200, body));
                case 2 -> earlier;
                case 3 -> with(reply, 200, mutated(body), signature(reply));
                case 4 -> with(reply, List.of(100, 201, 204, 302, 400, 401, 413, 429, 500, 999).get(random.nextInt(10)),
                        body, signature(reply));
                case 5 -> with(reply, 200, body, new String(noise(70), StandardCharsets.ISO_8859_1));
                case 6 -> with(reply, 200, random.nextInt(20) > 0 ? Member.NOTHING
                        : new byte[ControlCodec.MAX_ANSWER_BYTES + 1], signature(reply));
                // from here on whoever answers has the key, and may be mad
                case 7 -> signed(reply, nonce, ofForeignVersion(body));
                case 8 -> signed(reply, nonce, noise(200));
                case 9 -> signed(reply, nonce, mutated(body));
                default -> signed(reply, nonce, ControlCodec.encode(answer()));
            };
        }

        private PeerAnswer answer() {
            return switch (random.nextInt(5)) {
                case 0 -> new PeerAnswer.Done();
                case 1 -> new PeerAnswer.Export(noise(300));
                case 2 -> new PeerAnswer.Events(noise(300));
                case 3 -> new PeerAnswer.Leased(1, new int[]{1}, Duration.ofSeconds(1));
                default -> new PeerAnswer.Refused(RemoteException.Kind.BUSY, "no");
            };
        }

        private static String signature(MemoryHttp.Reply reply) {
            return reply.headers().getOrDefault(MessageSigner.SIGNATURE, List.of("")).getFirst();
        }

        private MemoryHttp.Reply signed(MemoryHttp.Reply reply, String nonce, byte[] body) {
            return with(reply, 200, body, signer.answer(nonce, 200, body));
        }

        private static MemoryHttp.Reply with(MemoryHttp.Reply reply, int status, byte[] body,
                @Nullable String signature) {
            Map<String, List<String>> headers = new HashMap<>(reply.headers());
            headers.remove(MessageSigner.SIGNATURE);
            if (signature != null) {
                headers.put(MessageSigner.SIGNATURE, List.of(signature));
            }
            headers.put("Content-Length", List.of(String.valueOf(body.length)));
            return new MemoryHttp.Reply(status, headers, body);
        }
    }

    /** Only what is expected may be thrown. */
    private static PeerLink watched(PeerLink link) {
        return request -> {
            try {
                return link.ask(request);
            } catch (RemoteException e) {
                assertThat(e.kind()).isIn(RemoteException.Kind.TRANSPORT, RemoteException.Kind.LIMIT,
                        RemoteException.Kind.BUSY, RemoteException.Kind.MALFORMED,
                        RemoteException.Kind.UNSUPPORTED_VERSION, RemoteException.Kind.STALE_EPOCH);
                throw e;
            }
        };
    }

    @Test
    void whatIsTamperedWithIsRefusedAndMapsNothing(CapturedOutput output) {
        // what only its own layout knows of the heads of a token does not travel
        Blockset blockset = BlocksetCodec.decode(BlocksetCodec.encode(peering(there).blockset()));
        Between between = new Between();
        try (HttpLinks links = new HttpLinks(signer, time, MemoryHttp.builder(between::carry), null,
                Duration.ofSeconds(10),
                Duration.ofSeconds(10))) {
            PeerLink link = watched(links.to(ADDRESS));
            for (int i = 0; i < INPUTS; i++) {
                time.pass(Duration.ofMillis(random.nextInt(20)));
                mapped.clear();
                between.exchange = 0;
                between.tampered = random.nextInt(4) - 1; // none, state, blockset, events
                between.how = random.nextInt(11);
                Reconciler reconciler = peering(here).reconciler(_ -> link, ReconcilerSettings.DEFAULT);
                reconciler.listed(List.of(ADDRESS));
                reconciler.step(Runnable::run);
                String what = "input " + i + ": answer " + between.tampered + " tampered with by " + between.how;
                boolean imported = !peering(here).peers().isEmpty();
                if (between.tampered < 0) {
                    assertThat(imported).as(what).isTrue();
                    assertThat(reconciler.refusals()).as(what).isZero();
                    assertThat(peering(here).index().stats().blocks()).as(what).isEqualTo(2);
                } else if (between.how <= 8) {
                    assertThat(reconciler.refusals()).as(what).isEqualTo(1);
                    assertThat(imported).as(what).isEqualTo(between.tampered == 2);
                }
                assertThat(peering(here).index().stats().blocks()).as(what).isLessThanOrEqualTo(8);
                assertThat(mapped).as(what).hasSize(imported ? 1 : 0).allMatch(blockset::equals);
                peering(here).remove(THERE);
                assertThat(peering(here).peers()).as(what).isEmpty();
            }
        }
        assertThat(output.getAll()).doesNotContain("could not be asked");
    }
}
