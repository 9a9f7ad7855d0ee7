package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;

import javax.net.ssl.SSLContext;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import io.kvbm.error.RemoteException;
import io.kvbm.error.RemoteException.Kind;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerRequest;
import io.kvbm.token.ContentFingerprint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/** What an instance makes of whoever sits at an address. */
@ExtendWith(OutputCaptureExtension.class)
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class HttpLinksTest {

    private static final Duration TIMEOUT = Duration.ofMillis(500);
    private static final Duration PULL_TIMEOUT = Duration.ofSeconds(30);
    private static final Duration BOUND = Duration.ofSeconds(5);
    private static final PeerRequest STATE = new PeerRequest.State(1);
    private static final byte[] DONE = ControlCodec.encode(new PeerAnswer.Done());

    private final MessageSigner signer = new MessageSigner(Member.KEY);
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final AtomicInteger requests = new AtomicInteger();
    private final AtomicInteger connections = new AtomicInteger();
    private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final HttpLinks links = new HttpLinks(signer, InstantSource.system(), HttpClient.newBuilder(), null,
            TIMEOUT,
            PULL_TIMEOUT);
    private final HttpLinks keyless = new HttpLinks(null, InstantSource.system(), HttpClient.newBuilder(), null,
            TIMEOUT,
            PULL_TIMEOUT);

    HttpLinksTest() throws IOException {}

    @AfterEach
    void close() throws Exception {
        links.close();
        keyless.close();
        server.close();
        threads.shutdownNow();
        assertThat(threads.awaitTermination(20, TimeUnit.SECONDS)).isTrue();
    }

    /** Who sits there: answers what it has read. */
    @FunctionalInterface
    private interface Somebody {

        void answer(Request request, OutputStream out) throws IOException;
    }

    @SuppressWarnings("ArrayRecordComponent") // made once and read once
    private record Request(String line, Map<String, String> headers, byte[] body) {

        String nonce() {
            return headers.getOrDefault(MessageSigner.NONCE, "");
        }
    }

    private String serve(Somebody somebody) {
        threads.execute(() -> {
            while (!server.isClosed()) {
                try {
                    Socket socket = server.accept();
                    connections.incrementAndGet();
                    threads.execute(() -> talk(socket, somebody));
                } catch (IOException e) {
                    return;
                }
            }
        });
        return "http://127.0.0.1:" + server.getLocalPort() + "/kvbm";
    }

    private void talk(Socket socket, Somebody somebody) {
        try (socket) {
            while (true) {
                Request request = read(socket.getInputStream());
                requests.incrementAndGet();
                somebody.answer(request, socket.getOutputStream());
                socket.getOutputStream().flush();
            }
        } catch (IOException e) {
            // the other side has had enough
        }
    }

    private static Request read(InputStream in) throws IOException {
        String line = line(in);
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (String header = line(in); !header.isEmpty(); header = line(in)) {
            String[] parts = header.split(": ", 2);
            headers.put(parts[0], parts[1]);
        }
        return new Request(line, headers,
                in.readNBytes(Integer.parseInt(headers.getOrDefault("Content-Length", "0"))));
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = in.read(); next != '\n'; next = in.read()) {
            if (next < 0) {
                throw new IOException("The other side has closed");
            }
            line.append((char) next);
        }
        return line.toString().trim();
    }

    private static void write(OutputStream out, String head, byte[] body) throws IOException {
        out.write(head.getBytes(StandardCharsets.ISO_8859_1));
        out.write(body);
        out.flush();
    }

    private static void ok(OutputStream out, byte[] body, @Nullable String signature, String... headers)
            throws IOException {
        write(out, "HTTP/1.1 200 OK\r\nContent-Length: " + body.length + "\r\n"
                + (signature == null ? "" : MessageSigner.SIGNATURE + ": " + signature + "\r\n")
                + String.join("", headers) + "\r\n", body);
    }

    private void signed(Request request, OutputStream out, byte[] body, String... headers) throws IOException {
        ok(out, body, signer.answer(request.nonce(), 200, body), headers);
    }

    private static void refused(PeerLink link, PeerRequest request, Kind kind, String why) {
        long started = System.nanoTime();
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> link.ask(request))
                .withMessageContaining(why)
                .satisfies(e -> assertThat(e.kind()).as(e.getMessage()).isEqualTo(kind));
        assertThat(Duration.ofNanos(System.nanoTime() - started)).isLessThan(BOUND);
    }

    // ---------------------------------------------------------------------------------------------- answered

    /** The JDK's client would end its requests there. */
    @Test
    void anApplicationThatKeepsTheCommonPoolBusyIsAnsweredAllTheSame() {
        PeerLink link = links.to(serve((request, out) -> signed(request, out, DONE)));
        CountDownLatch over = new CountDownLatch(1);
        List<CompletableFuture<Void>> busy = IntStream.range(0, 4 * ForkJoinPool.commonPool().getParallelism() + 4)
                .mapToObj(_ -> CompletableFuture.runAsync(() -> {
                    try {
                        over.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                }, ForkJoinPool.commonPool()))
                .toList();
        try {
            for (int i = 0; i < 5; i++) {
                assertThat(link.ask(STATE)).isEqualTo(new PeerAnswer.Done());
            }
        } finally {
            over.countDown();
        }
        busy.forEach(CompletableFuture::join);
    }

    @Test
    void aMemberIsBelievedAndItsConnectionIsUsedAgain() {
        String address = serve((request, out) -> signed(request, out, DONE));
        for (int i = 0; i < 3; i++) {
            assertThat(links.to(address).ask(STATE)).isEqualTo(new PeerAnswer.Done());
        }
        assertThat(requests).hasValue(3);
        assertThat(connections).hasValue(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"Content-Type: not a type", "Content-Encoding: gzip", "Content-Encoding: deflate",
        "Set-Cookie: a=b", "Content-Type: application/json"})
    void headersOfAnAnswerAreNotBelieved(String header) {
        String address = serve((request, out) -> {
            assertThat(request.headers()).doesNotContainKeys("Accept-Encoding", "Cookie");
            signed(request, out, DONE, header + "\r\n");
        });
        assertThat(links.to(address).ask(STATE)).isEqualTo(new PeerAnswer.Done());
        assertThat(links.to(address).ask(STATE)).isEqualTo(new PeerAnswer.Done());
    }

    @Test
    void everyQuestionHasANonceOfItsOwnAndGoesWhereItBelongs() {
        Map<String, String> lines = new TreeMap<>();
        String address = serve((request, out) -> {
            synchronized (lines) {
                lines.put(request.nonce(), request.line());
            }
            signed(request, out, DONE);
        });
        PeerLink link = links.to(address);
        link.ask(new PeerRequest.State(-1));
        link.ask(new PeerRequest.Export(2));
        link.ask(new PeerRequest.Notify(3, "news"));
        assertThat(lines.values()).containsExactlyInAnyOrder(
                "GET /kvbm/state?asker=18446744073709551615 HTTP/1.1", "GET /kvbm/blockset?asker=2 HTTP/1.1",
                "POST /kvbm/ask HTTP/1.1");
        assertThat(link).hasToString(address);
    }

    /** What was asked at an address, one line for each question: whom it was for, and whether that was signed. */
    private String serveLives(List<Addressee> lives, List<String> questions) {
        return serve((request, out) -> {
            String to = request.headers().get(Addressee.HEADER);
            String[] line = request.line().split(" ", -1);
            boolean same = signer
                    .question(line[0], line[1], to, String.valueOf(request.headers().get(MessageSigner.TIME)),
                            request.nonce(), request.body())
                    .equals(request.headers().get(MessageSigner.SIGNATURE));
            questions.add(line[1] + " " + to + " " + same);
            Addressee life = lives.getFirst();
            signed(request, out, line[1].contains("state") ? ControlCodec.encode(new PeerAnswer.State(
                    life.workerId(), life.epoch(), ContentFingerprint.ofBytes(new byte[ContentFingerprint.BYTES]),
                    "0".repeat(64), false)) : DONE);
        });
    }

    @Test
    void everyQuestionIsForWhoLastSaidThatItIsThere() {
        List<String> questions = new CopyOnWriteArrayList<>();
        List<Addressee> lives = new CopyOnWriteArrayList<>(List.of(new Addressee(-1, 8), new Addressee(-1, 9)));
        String address = serveLives(lives, questions);
        PeerLink link = links.to(address);
        link.ask(new PeerRequest.Notify(3, "news"));
        link.ask(STATE);
        link.ask(new PeerRequest.Export(1));
        link.ask(new PeerRequest.Notify(3, "news"));
        lives.removeFirst();
        link.ask(STATE);
        link.ask(new PeerRequest.Notify(3, "news"));
        links.to(address).ask(new PeerRequest.Export(1));
        assertThat(questions).containsExactly("/kvbm/ask null true", "/kvbm/state?asker=1 null true",
                "/kvbm/blockset?asker=1 18446744073709551615/8 true", "/kvbm/ask 18446744073709551615/8 true",
                "/kvbm/state?asker=1 null true", "/kvbm/ask 18446744073709551615/9 true",
                "/kvbm/blockset?asker=1 null true");
    }

    @Test
    void withoutAKeyNothingIsSignedAndAnyAnswerIsRead() {
        String address = serve((request, out) -> ok(out, request.nonce().isEmpty() ? DONE : Member.NOTHING, null));
        assertThat(keyless.to(address).ask(STATE)).isEqualTo(new PeerAnswer.Done());
    }

    // ---------------------------------------------------------------------------------------------- not believed

    @Test
    void anAnswerWithoutSignatureIsNotBelieved() {
        refused(links.to(serve((_, out) -> ok(out, DONE, null))), STATE, Kind.TRANSPORT, "not signed");
    }

    @Test
    void anAnswerWithAnotherKeyIsNotBelieved() {
        String address = serve((request, out) -> ok(out, DONE,
                new MessageSigner(Member.OTHER_KEY).answer(request.nonce(), 200, DONE)));
        refused(links.to(address), STATE, Kind.TRANSPORT, "not signed");
    }

    @Test
    void anAnswerToAnotherQuestionIsNotBelieved() {
        String[] first = new String[1];
        String address = serve((request, out) -> {
            if (first[0] == null) {
                first[0] = signer.answer(request.nonce(), 200, DONE);
            }
            ok(out, DONE, first[0]);
        });
        assertThat(links.to(address).ask(STATE)).isEqualTo(new PeerAnswer.Done());
        refused(links.to(address), STATE, Kind.TRANSPORT, "not for this question");
    }

    @Test
    void aQuestionThatIsSentBackIsNoAnswer() {
        String address = serve((request, out) -> ok(out, DONE, request.headers().get(MessageSigner.SIGNATURE)));
        refused(links.to(address), STATE, Kind.TRANSPORT, "not signed");
    }

    @Test
    void anAnswerThatWasChangedOnItsWayIsNotBelieved() {
        byte[] changed = DONE.clone();
        changed[changed.length - 1] ^= 1;
        String address = serve((request, out) -> ok(out, changed, signer.answer(request.nonce(), 200, DONE)));
        refused(links.to(address), STATE, Kind.TRANSPORT, "not signed");
    }

    @ParameterizedTest
    @CsvSource({"400, TRANSPORT", "401, TRANSPORT", "403, TRANSPORT", "404, TRANSPORT", "405, TRANSPORT",
        "408, TRANSPORT", "413, LIMIT", "421, STALE_EPOCH", "429, BUSY", "500, TRANSPORT", "503, TRANSPORT",
        "201, TRANSPORT",
        "206, TRANSPORT", "299, TRANSPORT", "999, TRANSPORT"})
    void whatIsNot200IsRefusedWithItsReasonInPlainLetters(int status, Kind kind) {
        byte[] reason = Member.bytes("because\u00e4\r\n\u001b[31m" + "x".repeat(10_000));
        String address = serve((request, out) -> write(out, "HTTP/1.1 " + status + " No\r\nContent-Length: "
                + reason.length + "\r\n" + MessageSigner.SIGNATURE + ": "
                + signer.answer(request.nonce(), status, reason) + "\r\n\r\n", reason));
        refused(links.to(address), STATE, kind, "answered " + status + ": because????[31mxxx");
        assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> links.to(address).ask(STATE))
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(700));
    }

    @ParameterizedTest
    @ValueSource(ints = {204, 304})
    void anAnswerOfNothingIsRefused(int status) {
        refused(links.to(serve((_, out) -> write(out, "HTTP/1.1 " + status + " No\r\n\r\n", Member.NOTHING))), STATE,
                Kind.TRANSPORT, "answered " + status);
    }

    @Test
    void anEmptyAnswerIsRefusedSignedOrNot() {
        String address = serve((request, out) -> signed(request, out, Member.NOTHING));
        refused(links.to(address), STATE, Kind.MALFORMED, "empty");
        refused(keyless.to(address), STATE, Kind.MALFORMED, "empty");
    }

    @ParameterizedTest
    @ValueSource(ints = {301, 302, 303, 307, 308})
    void nobodyIsSentElsewhere(int status) {
        String address = serve((_, out) -> write(out, "HTTP/1.1 " + status + " Moved\r\nLocation: http://127.0.0.1:"
                + server.getLocalPort() + "/elsewhere\r\nContent-Length: 0\r\n\r\n", Member.NOTHING));
        refused(links.to(address), STATE, Kind.TRANSPORT, "answered " + status);
        assertThat(requests).hasValue(1);
    }

    @Test
    void whatIsSignedButNoMessageIsRefused() {
        String address = serve((request, out) -> signed(request, out, Member.bytes("<html>nonsense</html>")));
        refused(links.to(address), STATE, Kind.MALFORMED, "control message");
        refused(keyless.to(address), STATE, Kind.MALFORMED, "control message");
    }

    @Test
    void aRequestIsNoAnswer() {
        String address = serve((request, out) -> signed(request, out, ControlCodec.encode(STATE)));
        refused(links.to(address), STATE, Kind.MALFORMED, "no answer");
    }

    @ParameterizedTest
    @ValueSource(strings = {"nonsense\r\n\r\n", "\u0000\u0001\u0002\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"})
    void garbageIsRefused(String garbage) {
        String address = serve((_, out) -> {
            write(out, garbage, Member.NOTHING);
            throw new IOException("And now the connection is closed");
        });
        refused(links.to(address), STATE, Kind.TRANSPORT, "not reached");
        refused(keyless.to(address), STATE, Kind.TRANSPORT, "not reached");
    }

    // ---------------------------------------------------------------------------------------------- said

    private static long said(CapturedOutput output) {
        return output.getAll().lines().filter(line -> line.contains("No blocks are taken")).count();
    }

    @ParameterizedTest
    @ValueSource(ints = {401, 403})
    void whoIsTurnedAwaySaysSoOnceUntilItIsAnswered(int status, CapturedOutput output) {
        AtomicBoolean welcome = new AtomicBoolean();
        byte[] reason = Member.bytes("set kvbm.cluster.key");
        String address = serve((request, out) -> {
            if (welcome.get()) {
                signed(request, out, DONE);
            } else {
                write(out, "HTTP/1.1 " + status + " No\r\nContent-Length: " + reason.length + "\r\n\r\n", reason);
            }
        });
        PeerLink link = links.to(address);
        for (int i = 0; i < 3; i++) {
            refused(link, STATE, Kind.TRANSPORT, "answered " + status);
        }
        assertThat(output.getAll().lines().filter(line -> line.contains("WARN"))).singleElement()
                .asString()
                .contains(address, "answered " + status + ": set kvbm.cluster.key");
        welcome.set(true);
        link.ask(STATE);
        welcome.set(false);
        refused(link, STATE, Kind.TRANSPORT, "answered " + status);
        assertThat(said(output)).isEqualTo(2);
    }

    @Test
    void whoIsNotBelievedIsNamedAndWhoIsAwayIsNot(CapturedOutput output) throws IOException {
        PeerLink link = links.to(serve((_, out) -> ok(out, DONE, null)));
        refused(link, STATE, Kind.TRANSPORT, "not signed");
        refused(link, STATE, Kind.TRANSPORT, "not signed");
        assertThat(said(output)).isEqualTo(1);
        refused(links.to("http://127.0.0.1:" + Instance.freePorts(1).getFirst() + "/kvbm"), STATE, Kind.TRANSPORT,
                "not reached");
        assertThat(said(output)).isEqualTo(1);
    }

    // ---------------------------------------------------------------------------------------------- over TLS

    @ParameterizedTest
    @CsvSource({"http://a:1/kvbm, https://a:1/kvbm", "HTTP://a/kvbm, https://a/kvbm", "https://a:1/x, https://a:1/x",
        "nonsense, nonsense"})
    void withABundleEverybodyIsAskedOverTls(String listed, String asked) throws GeneralSecurityException {
        HttpLinks secret = new HttpLinks(null, InstantSource.system(), HttpClient.newBuilder(),
                SSLContext.getDefault(), TIMEOUT, TIMEOUT);
        try (secret) {
            assertThat(secret.to(listed)).hasToString(asked);
        }
        assertThat(links.to(listed)).hasToString(listed);
    }

    @Test
    void whoBreaksOffInTheMiddleOfTlsIsAwayAndNothingIsSaid(CapturedOutput output) throws GeneralSecurityException {
        threads.execute(() -> {
            while (!server.isClosed()) {
                try (Socket socket = server.accept()) {
                    var _ = socket.getInputStream().read(new byte[1 << 14]);
                } catch (IOException e) {
                    // the client has had enough, or the test is over
                }
            }
        });
        HttpLinks secret = new HttpLinks(null, InstantSource.system(), HttpClient.newBuilder(),
                SSLContext.getDefault(), PULL_TIMEOUT, PULL_TIMEOUT);
        try (secret) {
            assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> secret
                    .to("http://127.0.0.1:" + server.getLocalPort() + "/kvbm")
                    .ask(STATE)).withMessageContaining("not reached");
        }
        assertThat(said(output)).isZero();
    }

    // ---------------------------------------------------------------------------------------------- too much

    @ParameterizedTest
    @ValueSource(strings = {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 404 No\r\n\r\n"})
    void anAnswerThatNeverEndsIsReadToTheCapAndNoFurther(String head) {
        AtomicLong sent = new AtomicLong();
        byte[] chunk = new byte[1 << 16];
        String address = serve((_, out) -> {
            write(out, head, Member.NOTHING);
            for (long i = 0; i < 1L << 16; i++) { // 4 GiB
                out.write(chunk);
                sent.addAndGet(chunk.length);
            }
        });
        HttpLinks waiting = new HttpLinks(null, InstantSource.system(), HttpClient.newBuilder(), null, BOUND, BOUND);
        try (waiting) {
            assertThatExceptionOfType(RemoteException.class).isThrownBy(() -> waiting.to(address).ask(STATE))
                    .satisfies(e -> assertThat(e.kind()).isIn(Kind.LIMIT, Kind.TRANSPORT))
                    .withMessageContainingAll(head.contains("200") ? "is over" : "answered 404");
        }
        assertThat(sent).hasValueLessThan(64L << 20); // the cap, and what is on its way
    }

    @Test
    void theLongestAnswerIsReadAndNoneThatIsLonger() {
        byte[] longest = ControlCodec.encode(new PeerAnswer.Events(new byte[ControlCodec.MAX_FRAME_BYTES]));
        HttpLinks waiting = new HttpLinks(signer, InstantSource.system(), HttpClient.newBuilder(), null, BOUND, BOUND);
        try (waiting) {
            String address = serve((request, out) -> signed(request, out,
                    requests.get() == 1 ? longest : new byte[ControlCodec.MAX_ANSWER_BYTES + 1]));
            assertThat(waiting.to(address).ask(STATE)).isInstanceOf(PeerAnswer.Events.class);
            refused(waiting.to(address), STATE, Kind.LIMIT, "not read");
        }
    }

    // ---------------------------------------------------------------------------------------------- too slow

    @Test
    void whoSaysNothingIsGivenUp() {
        refused(links.to(serve((_, _) -> hang())), STATE, Kind.DEADLINE, "did not answer in time");
    }

    @Test
    void whoTakesNoConnectionIsGivenUp() throws IOException {
        try (ServerSocket full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Socket _ = new Socket(full.getInetAddress(), full.getLocalPort());
                Socket _ = new Socket(full.getInetAddress(), full.getLocalPort())) {
            refused(links.to("http://127.0.0.1:" + full.getLocalPort() + "/kvbm"), STATE, Kind.DEADLINE,
                    "did not answer in time");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        "HTTP/1.1 404 No\r\nContent-Length: 100000\r\n\r\n", "HTTP/1.1 200 OK\r\nLong: ", "HTTP/1.1 100 Continue\r\n"})
    void whoAnswersByteByByteIsGivenUpAtTheSameTime(String head) {
        String address = serve((_, out) -> {
            write(out, head, Member.NOTHING);
            for (int i = 0; i < 100_000; i++) {
                write(out, "x", Member.NOTHING);
                pause();
            }
        });
        refused(links.to(address), STATE, Kind.DEADLINE, "did not answer in time");
        refused(keyless.to(address), STATE, Kind.DEADLINE, "did not answer in time");
    }

    @Test
    void whoReadsNothingIsGivenUp() {
        PeerRequest.Lease large = new PeerRequest.Lease(1, 2, 3, new int[1 << 16], new long[1 << 16],
                Duration.ofSeconds(1));
        threads.execute(() -> {
            try (Socket _ = server.accept()) {
                hang();
            } catch (IOException e) {
                // the test is over
            }
        });
        refused(links.to("http://127.0.0.1:" + server.getLocalPort()), large, Kind.DEADLINE,
                "did not answer in time");
    }

    /** A pull may take longer than everything else, and no other question does for that. */
    @Test
    void aPullIsWaitedForLonger() {
        PeerRequest.Pull pull = new PeerRequest.Pull(1, 2, 3, 0, new int[]{0}, new long[]{1}, 0, 0, new int[]{0}, "");
        String address = serve((request, out) -> {
            for (int i = 0; i < 10; i++) {
                LockSupport.parkNanos(TIMEOUT.toNanos() / 5);
            }
            signed(request, out, DONE);
        });
        refused(links.to(address), STATE, Kind.DEADLINE, "did not answer in time");
        assertThat(links.to(address).ask(pull)).isEqualTo(new PeerAnswer.Done());
    }

    private void hang() throws IOException {
        while (!server.isClosed() && !Thread.currentThread().isInterrupted()) {
            pause();
        }
        throw new IOException("The test is over");
    }

    private static void pause() {
        LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
    }

    // ---------------------------------------------------------------------------------------------- nobody there

    @Test
    void whoClosesTheConnectionWasNotReached() {
        refused(links.to(serve((_, _) -> {
            throw new IOException("Closed");
        })), STATE, Kind.TRANSPORT, "not reached");
    }

    @Test
    void whoIsNotThereWasNotReached() throws IOException {
        int port = server.getLocalPort();
        server.close();
        refused(links.to("http://127.0.0.1:" + port + "/kvbm"), STATE, Kind.TRANSPORT, "not reached");
    }

    @Test
    void aNameThatNobodyHasWasNotReached() {
        HttpLinks waiting = new HttpLinks(signer, InstantSource.system(), HttpClient.newBuilder(), null, PULL_TIMEOUT,
                PULL_TIMEOUT);
        try (waiting) {
            assertThatExceptionOfType(RemoteException.class)
                    .isThrownBy(() -> waiting.to("http://nobody.invalid:8080/kvbm").ask(STATE))
                    .withMessageContaining("not reached")
                    .extracting(RemoteException::kind)
                    .isEqualTo(Kind.TRANSPORT);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "nonsense", "/kvbm", "http://", "http:///kvbm", "http:kvbm", "mailto:a@b",
        "file:///etc/passwd", "ftp://127.0.0.1/kvbm", "jar:file:/x!/y", "http://127.0.0.1:99999/kvbm",
        "http://127.0.0.1:-1/kvbm", "http://[::1/kvbm", "http://a b/kvbm", "http://{x}/kvbm", "http://127.0.0.1/{y",
        "http://127.0.0.1:0/kvbm", "http://%zz/kvbm", "//127.0.0.1/kvbm", "http://127.0.0.1/\r\nEvil: yes"})
    void anAddressThatMakesNoSenseFailsEveryQuestionAndNothingElse(String address) {
        PeerLink link = links.to(address);
        refused(link, STATE, Kind.TRANSPORT, "not reached");
        refused(link, new PeerRequest.Notify(1, "news"), Kind.TRANSPORT, "not reached");
    }

    @Test
    void afterTheEndNobodyIsReached() {
        String address = serve((request, out) -> signed(request, out, DONE));
        links.close();
        refused(links.to(address), STATE, Kind.TRANSPORT, "not reached");
    }

    @Test
    void whoIsInterruptedStopsWaiting() throws Exception {
        HttpLinks waiting = new HttpLinks(signer, InstantSource.system(), HttpClient.newBuilder(), null, PULL_TIMEOUT,
                PULL_TIMEOUT);
        try (waiting) {
            String address = serve((_, _) -> hang());
            Thread[] asks = new Thread[1];
            var answer = threads.submit(() -> {
                asks[0] = Thread.currentThread();
                refused(waiting.to(address), STATE, Kind.TRANSPORT, "not reached");
                return Thread.interrupted();
            });
            await().atMost(Duration.ofSeconds(20)).until(() -> requests.get() == 1);
            asks[0].interrupt();
            assertThat(answer.get(20, TimeUnit.SECONDS)).isTrue();
        }
    }
}
