package io.kvbm.spring.boot.discovery;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.mock.web.DelegatingServletInputStream;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;
import org.springframework.web.filter.ForwardedHeaderFilter;

import io.kvbm.error.RemoteException.Kind;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerRequest;

import static org.assertj.core.api.Assertions.assertThat;

@ExtendWith(OutputCaptureExtension.class)
@SuppressWarnings("InputStreamSlowMultibyteRead") // a body that comes byte by byte is what is meant
class WorkerFilterTest {

    private static final int CAP = ControlCodec.MAX_REQUEST_BYTES;
    private static final Addressee OWNER = new Addressee(5, 6);
    private static final PeerAnswer ANSWER = new PeerAnswer.Refused(Kind.BUSY, "as it is");

    private final ManualTime time = new ManualTime();
    private final MessageSigner signer = new MessageSigner(Member.KEY);
    private final Member anybodys = new Member(Member.KEY, time);
    private final Member member = anybodys.to(OWNER);
    private final List<PeerRequest> asked = new ArrayList<>();
    private final WorkerFilter filter = filter(request -> {
        asked.add(request);
        return ANSWER;
    }, signer);

    private WorkerFilter filter(@Nullable PeerLink desk, @Nullable MessageSigner key) {
        return new WorkerFilter("/kvbm", desk == null ? null : new WorkerFilter.Desk(OWNER, desk),
                new Gatekeeper(key, null, false, time), key, time);
    }

    private static MockHttpServletResponse send(WorkerFilter filter, MockHttpServletRequest request) {
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

    private MockHttpServletResponse send(String method, String pathAndQuery, byte[] body) {
        return send(filter, member.request(method, pathAndQuery, body));
    }

    private static void refused(MockHttpServletResponse response, int status, String why) {
        assertThat(response.getStatus()).isEqualTo(status);
        assertThat(new String(response.getContentAsByteArray(), StandardCharsets.UTF_8)).contains(why);
        assertThat(response.getContentType()).isEqualTo("text/plain;charset=UTF-8");
        assertThat(response.getHeader(MessageSigner.SIGNATURE)).isNull();
    }

    // ---------------------------------------------------------------------------------------------- answered

    @Test
    void aMemberIsAnsweredAndTheAnswerIsSignedForItsQuestion() {
        MockHttpServletRequest request = member.request("GET", "/kvbm/state?asker=18446744073709551615",
                Member.NOTHING);
        MockHttpServletResponse response = send(filter, request);
        assertThat(response.getStatus()).isEqualTo(200);
        assertThat(response.getContentAsByteArray()).isEqualTo(ControlCodec.encode(ANSWER));
        assertThat(response.getContentLength()).isEqualTo(response.getContentAsByteArray().length);
        assertThat(response.getContentType()).isEqualTo(WorkerFilter.MESSAGE);
        assertThat(response.getHeader("Cache-Control")).isEqualTo("no-store");
        assertThat(response.getHeader(MessageSigner.SIGNATURE))
                .isEqualTo(signer.answer(String.valueOf(request.getHeader(MessageSigner.NONCE)), 200,
                        response.getContentAsByteArray()));
        assertThat(asked).containsExactly(new PeerRequest.State(-1));
        assertThat(filter.rejected()).isZero();
    }

    @Test
    void everyQuestionReachesTheDesk() {
        PeerRequest told = new PeerRequest.Notify(3, "news");
        assertThat(send("GET", "/kvbm/blockset?asker=2", Member.NOTHING).getStatus()).isEqualTo(200);
        assertThat(send("POST", "/kvbm/ask", ControlCodec.encode(told)).getStatus()).isEqualTo(200);
        assertThat(asked).containsExactly(new PeerRequest.Export(2), told);
    }

    @Test
    void whoDoesNotKnowWhoThisIsMayAskThat() {
        PeerRequest state = new PeerRequest.State(1);
        assertThat(send(filter, anybodys.request("GET", "/kvbm/state?asker=1", Member.NOTHING)).getStatus())
                .isEqualTo(200);
        assertThat(send(filter, anybodys.request("POST", "/kvbm/ask", ControlCodec.encode(state))).getStatus())
                .isEqualTo(200);
        assertThat(asked).containsExactly(state, state);
    }

    @Test
    void belowAContextPathItIsTheSame() {
        MockHttpServletRequest request = member.request("GET", "/app/kvbm/state?asker=1", Member.NOTHING);
        request.setContextPath("/app");
        assertThat(send(filter, request).getStatus()).isEqualTo(200);
    }

    // ---------------------------------------------------------------------------------------------- refused in words

    @ParameterizedTest
    @ValueSource(strings = {"/kvbm/state?asker=1", "/kvbm/blockset?asker=1", "/kvbm/ask", "/kvbm", "/kvbm/nothing",
        "/kvbm/state", "/kvbm/state?asker=x"})
    void whoeverHasNoKeyLearnsTheSameWhateverIsAsked(String path) {
        for (String method : List.of("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE")) {
            MockHttpServletResponse unsigned = send(filter, Member.unsigned(method, path, Member.bytes("x")));
            refused(unsigned, 401, "The question is not signed; set kvbm.cluster.key on all instances");
            MockHttpServletResponse forged = send(filter,
                    new Member(Member.OTHER_KEY, time).request(method, path, Member.bytes("x")));
            refused(forged, 401, "The signature is wrong; set the same kvbm.cluster.key on all instances");
        }
        assertThat(filter.rejected()).isEqualTo(12);
        assertThat(asked).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"GET, /kvbm, 404", "GET, /kvbm/, 404", "GET, /kvbm/state/, 404", "GET, /kvbm/State?asker=1, 404",
        "GET, /kvbm//state?asker=1, 404", "GET, /kvbm;jsessionid=1/state?asker=1, 404",
        "GET, /kvbm/state;jsessionid=1?asker=1, 404", "GET, //kvbm/state?asker=1, 404",
        "GET, /kvbm/%73tate?asker=1, 404", "GET, /kvbm/./state?asker=1, 404", "GET, /x, 404", "GET, /, 404",
        "GET, '', 404", "POST, /kvbm/state?asker=1, 405", "HEAD, /kvbm/state?asker=1, 405",
        "get, /kvbm/state?asker=1, 405", "GET, /kvbm/ask, 405", "PUT, /kvbm/ask, 405", "GET, /kvbm/state, 400",
        "GET, /kvbm/state?asker=, 400", "GET, /kvbm/state?asker=-1, 400",
        "GET, /kvbm/state?asker=18446744073709551616, 400", "GET, /kvbm/blockset?Asker=1, 400",
        "POST, /kvbm/ask, 400"})
    void whatAMemberAsksWronglyIsRefusedInWords(String method, String path, int status) {
        refused(send(method, path, Member.NOTHING), status, switch (status) {
            case 400 -> path.equals("/kvbm/ask") ? "control message" : "parameter asker";
            default -> "There is GET /state, GET /blockset and POST /ask";
        });
        assertThat(filter.rejected()).isEqualTo(1);
        assertThat(asked).isEmpty();
    }

    @Test
    void aMessageOfAnotherVersionIsRefusedInWords() {
        byte[] message = ControlCodec.encode(new PeerRequest.State(1));
        message[11] = 9;
        message[9] = 9;
        refused(send("POST", "/kvbm/ask", message), 400, "bring both workers to one version of kvbm");
    }

    @Test
    void anInstanceThatSharesNothingSaysSoToMembersOnly() {
        WorkerFilter empty = filter(null, signer);
        refused(send(empty, member.request("GET", "/kvbm/state?asker=1", Member.NOTHING)), 404,
                "This instance shares no blocks");
        refused(send(empty, Member.unsigned("GET", "/kvbm/state?asker=1", Member.NOTHING)), 401, "not signed");
    }

    @Test
    void aQuestionThatIsAskedAgainIsRefusedAndAnswersNothing() {
        MockHttpServletRequest request = member.request("GET", "/kvbm/state?asker=1", Member.NOTHING);
        assertThat(send(filter, request).getStatus()).isEqualTo(200);
        refused(send(filter, request), 401, "asked before");
        assertThat(asked).hasSize(1);
    }

    @Test
    void theOrderOfTheQueryIsPartOfWhatIsSigned() {
        MockHttpServletRequest request = member.request("GET", "/kvbm/state?asker=1&x=2", Member.NOTHING);
        request.setQueryString("x=2&asker=1");
        refused(send(filter, request), 401, "signature is wrong");
    }

    // ---------------------------------------------------------------------------------------------- for somebody else

    private static List<PeerRequest> everything() {
        return List.of(new PeerRequest.State(1), new PeerRequest.Export(1), new PeerRequest.Events(1, 6, 0),
                new PeerRequest.Lease(1, 6, 0, new int[]{0}, new long[]{1}, Duration.ofSeconds(1)),
                new PeerRequest.EndLease(1, 6, 1),
                new PeerRequest.Pull(1, 2, 6, 0, new int[]{0}, new long[]{1}, 0, 0, new int[]{0}, ""),
                new PeerRequest.Notify(1, "news"));
    }

    private void refusedForSomebodyElse(MockHttpServletRequest request, String why) {
        long before = filter.rejected();
        refused(send(filter, request), 421, why);
        assertThat(filter.rejected()).isEqualTo(before + 1);
        assertThat(asked).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"5, 7", "6, 6", "56, 0", "0, 0", "-5, 6"})
    void whatIsSignedForAnotherWorkerOrAnotherLifeOfThisOneIsRefused(long worker, long epoch) {
        Member elsewhere = anybodys.to(new Addressee(worker, epoch));
        for (PeerRequest question : everything()) {
            refusedForSomebodyElse(elsewhere.request("POST", "/kvbm/ask", ControlCodec.encode(question)),
                    "for another worker");
        }
        refusedForSomebodyElse(elsewhere.request("GET", "/kvbm/state?asker=1", Member.NOTHING), "for another worker");
        refusedForSomebodyElse(elsewhere.request("GET", "/kvbm/blockset?asker=1", Member.NOTHING),
                "for another worker");
    }

    @Test
    void whatIsForNobodyInParticularIsRefusedButForWhoThisIs() {
        for (PeerRequest question : everything().subList(1, 7)) {
            refusedForSomebodyElse(anybodys.request("POST", "/kvbm/ask", ControlCodec.encode(question)),
                    "does not say whom it is for");
        }
        refusedForSomebodyElse(anybodys.request("GET", "/kvbm/blockset?asker=1", Member.NOTHING),
                "does not say whom it is for");
    }

    @Test
    void aNewAddresseeNeedsANewSignature() {
        MockHttpServletRequest request = anybodys.to(new Addressee(5, 7))
                .request("POST", "/kvbm/ask",
                        ControlCodec.encode(new PeerRequest.Notify(1, "news")));
        request.removeHeader(Addressee.HEADER);
        request.addHeader(Addressee.HEADER, OWNER.toString());
        refused(send(filter, request), 401, "signature is wrong");
        assertThat(asked).isEmpty();
    }

    @Test
    void withoutAKeyTooAQuestionIsForThisWorkerOnly() {
        for (String addressee : List.of("5/6", "5/7", "", "5", "5/6 ", "05/6")) {
            MockHttpServletRequest request = local("/kvbm/blockset?asker=1");
            request.addHeader(Addressee.HEADER, addressee);
            assertThat(send(filter(_ -> ANSWER, null), request).getStatus()).as(addressee)
                    .isEqualTo(addressee.equals("5/6") ? 200 : 421);
        }
        assertThat(send(filter(_ -> ANSWER, null), local("/kvbm/blockset?asker=1")).getStatus()).isEqualTo(421);
    }

    // ---------------------------------------------------------------------------------------------- what is read

    /** A body that counts what is read of it. */
    private static final class Body extends InputStream {

        private final InputStream bytes;
        private final Runnable meanwhile;
        private long read;

        private Body(byte[] bytes, Runnable meanwhile) {
            this.bytes = bytes.length == 0 ? new InputStream() {
                @Override
                public int read() {
                    return 1;
                }
            } : new ByteArrayInputStream(bytes);
            this.meanwhile = meanwhile;
        }

        /** One that never ends. */
        private static Body endless(Runnable meanwhile) {
            return new Body(Member.NOTHING, meanwhile);
        }

        @Override
        public int read() throws IOException {
            read++;
            return bytes.read();
        }

        @Override
        public int read(byte[] into, int from, int length) throws IOException {
            meanwhile.run();
            int some = bytes.read(into, from, length);
            read += Math.max(some, 0);
            return some;
        }
    }

    private static MockHttpServletRequest with(InputStream body, MockHttpServletRequest original) {
        MockHttpServletRequest request = new MockHttpServletRequest(original.getMethod(), original.getRequestURI()) {
            @Override
            public DelegatingServletInputStream getInputStream() {
                return new DelegatingServletInputStream(body) {
                    @Override
                    public int read(byte[] into, int from, int length) throws IOException {
                        try {
                            return body.read(into, from, length);
                        } catch (UncheckedIOException e) {
                            throw e.getCause();
                        }
                    }
                };
            }
        };
        original.getHeaderNames()
                .asIterator()
                .forEachRemaining(name -> request.addHeader(name, String.valueOf(original.getHeader(name))));
        request.setRemoteAddr(original.getRemoteAddr());
        request.setLocalAddr(original.getLocalAddr());
        return request;
    }

    private MockHttpServletRequest ask(byte[] body) {
        return member.request("POST", "/kvbm/ask", body);
    }

    @Test
    void nothingIsReadOfWhomNothingWouldLetIn() {
        Body body = Body.endless(() -> {});
        refused(send(filter, with(body, Member.unsigned("POST", "/kvbm/ask", Member.NOTHING))), 401, "not signed");
        refused(send(filter(request -> ANSWER, null), with(body, Member.unsigned("POST", "/kvbm/ask",
                Member.NOTHING))), 403, "only questions over this machine");
        assertThat(body.read).isZero();
    }

    @Test
    void whatHasNoEndIsReadToTheCapAndNoFurther() {
        Body body = Body.endless(() -> {});
        refused(send(filter, with(body, ask(Member.NOTHING))), 413, "over " + CAP + " bytes");
        assertThat(body.read).isEqualTo(CAP + 1L);
    }

    @Test
    void whatSaysThatItIsTooLongIsNotReadAtAll() {
        refused(send(filter, ask(new byte[CAP + 1])), 413, "over " + CAP + " bytes");
        Body body = Body.endless(() -> {});
        MockHttpServletRequest request = with(body, ask(Member.NOTHING));
        request.setContent(new byte[CAP + 1]);
        refused(send(filter, request), 413, "over " + CAP + " bytes");
        assertThat(body.read).isZero();
    }

    @Test
    void whatIsAsLongAsMayBeIsRead() {
        refused(send(filter, ask(new byte[CAP])), 400, CAP + " bytes that do not start like a control message");
    }

    @Test
    void aQuestionThatTricklesInIsGivenUp() {
        Body body = Body.endless(() -> time.pass(Duration.ofSeconds(1)));
        refused(send(filter, with(body, ask(Member.NOTHING))), 408, "took over 5 s to arrive");
    }

    @Test
    void aQuestionThatArrivesInTimeIsAnswered() {
        byte[] message = ControlCodec.encode(new PeerRequest.State(1));
        Body body = new Body(message, () -> time.pass(Duration.ofSeconds(2)));
        assertThat(send(filter, with(body, ask(message))).getStatus()).isEqualTo(200);
    }

    @Test
    void aQuestionThatBreaksOffIsRefusedWithoutAnException() {
        InputStream broken = new ByteArrayInputStream(new byte[10]) {
            @Override
            public synchronized int read(byte[] into, int from, int length) {
                if (available() == 0) {
                    throw new UncheckedIOException(new IOException("Connection reset"));
                }
                return super.read(into, from, length);
            }
        };
        refused(send(filter, with(broken, ask(Member.NOTHING))), 400, "could not be read to its end");
    }

    // ---------------------------------------------------------------------------------------------- how many at once

    @Test
    void moreQuestionsAtOnceThanThereIsRoomForAreSentAway() throws Exception {
        CountDownLatch inside = new CountDownLatch(WorkerFilter.AT_ONCE);
        CountDownLatch go = new CountDownLatch(1);
        WorkerFilter slow = filter(request -> {
            inside.countDown();
            try {
                if (!go.await(20, TimeUnit.SECONDS)) {
                    throw new AssertionError("Nobody said go");
                }
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            return ANSWER;
        }, signer);
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<MockHttpServletResponse>> answers = new ArrayList<>();
            for (int i = 0; i < WorkerFilter.AT_ONCE; i++) {
                MockHttpServletRequest request = member.request("GET", "/kvbm/state?asker=1", Member.NOTHING);
                answers.add(threads.submit(() -> send(slow, request)));
            }
            try {
                assertThat(inside.await(20, TimeUnit.SECONDS)).isTrue();
                refused(send(slow, member.request("GET", "/kvbm/state?asker=1", Member.NOTHING)), 429,
                        "ask again later");
            } finally {
                go.countDown();
            }
            for (Future<MockHttpServletResponse> answer : answers) {
                assertThat(answer.get(20, TimeUnit.SECONDS).getStatus()).isEqualTo(200);
            }
        }
        assertThat(slow.rejected()).isEqualTo(1);
        for (int i = 0; i < 2 * WorkerFilter.AT_ONCE; i++) { // what was refused took no room
            send(slow, Member.unsigned("GET", "/kvbm/state?asker=1", Member.NOTHING));
        }
        assertThat(send(slow, member.request("GET", "/kvbm/state?asker=1", Member.NOTHING)).getStatus())
                .isEqualTo(200);
    }

    // ---------------------------------------------------------------------------------------------- on this machine

    private static MockHttpServletRequest local() {
        return local("/kvbm/state?asker=1");
    }

    private static MockHttpServletRequest local(String path) {
        MockHttpServletRequest request = Member.unsigned("GET", path, Member.NOTHING);
        request.setRemoteAddr("127.0.0.1");
        request.setLocalAddr("127.0.0.1");
        return request;
    }

    @Test
    void withoutAKeyAnInstanceOnThisMachineIsAnsweredWithoutASignature() {
        MockHttpServletRequest request = local();
        request.addHeader(MessageSigner.NONCE, Member.NONCE);
        MockHttpServletResponse response = send(filter(_ -> ANSWER, null), request);
        assertThat(response.getStatus()).isEqualTo(200);
        assertThat(response.getHeader(MessageSigner.SIGNATURE)).isNull();
    }

    private static List<String> warnings(CapturedOutput output) {
        return output.getAll().lines().filter(line -> line.contains("WARN")).toList();
    }

    @Test
    void whoIsTurnedAwayForWantOfAKeyIsToldOfInOneLineAndNotAgainForAWhile(CapturedOutput output) {
        WorkerFilter keyless = filter(_ -> ANSWER, null);
        MockHttpServletRequest request = Member.unsigned("GET", "/kvbm/state?asker=1", Member.NOTHING);
        for (int i = 0; i < 3; i++) {
            refused(send(keyless, request), 403, "kvbm.cluster.key");
        }
        assertThat(warnings(output)).singleElement()
                .asString()
                .contains("from 192.0.2.7 to 192.0.2.8", "loopback", "kvbm.cluster.key");
        time.pass(WorkerFilter.SILENCE.minusMillis(1));
        send(keyless, request);
        assertThat(warnings(output)).hasSize(1);
        time.pass(Duration.ofMillis(1));
        send(keyless, request);
        send(keyless, request);
        assertThat(warnings(output)).hasSize(2);
    }

    @Test
    void whatOneInstanceAsksWronglyIsNoWarning(CapturedOutput output) {
        send("GET", "/kvbm/nothing", Member.NOTHING);
        send("POST", "/kvbm/ask", Member.NOTHING);
        send(filter, anybodys.request("GET", "/kvbm/blockset?asker=1", Member.NOTHING));
        assertThat(filter.rejected()).isEqualTo(3);
        assertThat(warnings(output)).isEmpty();
        send(filter, Member.unsigned("GET", "/kvbm/state?asker=1", Member.NOTHING));
        assertThat(warnings(output)).singleElement().asString().contains("not signed; set kvbm.cluster.key");
    }

    @ParameterizedTest
    @CsvSource({"X-Forwarded-For, 127.0.0.1", "Forwarded, for=127.0.0.1", "Via, 1.1 proxy",
        "Origin, http://localhost:8080", "origin, null"})
    void whatAProxyOrABrowserOnThisMachineHandsOnIsTurnedAwayWithoutAKey(String header, String value) {
        MockHttpServletRequest request = local();
        request.addHeader(header, value);
        refused(send(filter(_ -> ANSWER, null), request), 403, "only questions over this machine");
    }

    @ParameterizedTest
    @CsvSource({"X-Forwarded-For, 127.0.0.1, 192.0.2.7, 192.0.2.8", "Forwarded, for=127.0.0.1, 192.0.2.7, 192.0.2.8",
        "X-Forwarded-For, 127.0.0.1, 127.0.0.1, 127.0.0.1", "Forwarded, for=127.0.0.1, 127.0.0.1, 127.0.0.1"})
    void whatSaysThatItWasForwardedForThisMachineIsTurnedAwayWithoutAKey(String header, String value, String from,
            String to) throws IOException, ServletException {
        MockHttpServletRequest request = local();
        request.setRemoteAddr(from);
        request.setLocalAddr(to);
        request.addHeader(header, value);
        MockHttpServletResponse response = new MockHttpServletResponse();
        WorkerFilter keyless = filter(_ -> ANSWER, null);
        FilterChain then = (wrapped, answer) -> {
            assertThat(wrapped.getRemoteAddr()).isEqualTo("127.0.0.1"); // or this test tests nothing
            assertThat(((HttpServletRequest) wrapped).getHeader(header)).isNull();
            keyless.doFilter(wrapped, answer, (_, _) -> {});
        };
        new ForwardedHeaderFilter().doFilter(request, response, then);
        refused(response, 403, "only questions over this machine");
    }
}
