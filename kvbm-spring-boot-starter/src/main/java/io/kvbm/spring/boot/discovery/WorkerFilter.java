package io.kvbm.spring.boot.discovery;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletRequestWrapper;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

import io.kvbm.error.RemoteException;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerAnswer;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerRequest;
import io.kvbm.time.MonotonicClock;

/**
 * What other instances ask this one: {@code GET /state} and {@code GET /blockset}, each with the asker's number, and
 * {@code POST /ask} with any question as {@link ControlCodec} writes it. Nothing of a question is looked at before it is
 * known to be small enough and from a member of the cluster, and only who this is, is answered to whoever does not know
 * yet. It is a filter, and comes before those of the application,
 * so that the application's security, which knows nothing of workers, is neither in the way nor changed.
 */
final class WorkerFilter extends HttpFilter {

    /** Questions that are answered at once. */
    static final int AT_ONCE = 64;

    /** Time that a question may take to arrive. */
    static final Duration ARRIVAL = Duration.ofSeconds(5);

    /** Time between two warnings that somebody was turned away. */
    static final Duration SILENCE = Duration.ofMinutes(10);

    static final String MESSAGE = "application/octet-stream";

    private static final long serialVersionUID = 1L;
    private static final Logger log = LoggerFactory.getLogger(WorkerFilter.class);
    private static final Set<String> WHAT = Set.of("/state", "/blockset", "/ask");
    private static final int MAX_BYTES = ControlCodec.MAX_REQUEST_BYTES;
    private static final int BUFFER_BYTES = 8 << 10;

    /** What no instance sends: proxies add the first three, and browsers the last, for whatever page they show. */
    private static final List<String> OF_OTHERS = List.of("Forwarded", "X-Forwarded-For", "Via", "Origin");

    private static final String CERTIFICATES = "jakarta.servlet.request.X509Certificate";

    private final String path;
    private final transient @Nullable Desk desk;
    private final transient Gatekeeper gatekeeper;
    private final transient @Nullable MessageSigner signer;
    private final transient MonotonicClock clock;
    private final transient Semaphore room = new Semaphore(AT_ONCE);
    private final transient LongAdder rejected = new LongAdder();
    private final transient AtomicLong warned;

    /**
     * What answers questions.
     *
     * @param owner whom they have to be for
     * @param link passes them on
     */
    record Desk(Addressee owner, PeerLink link) {

        /** Whoever asks who this is cannot name it yet; everything else was meant for somebody. */
        private PeerAnswer ask(PeerRequest question, @Nullable String addressee) {
            if (addressee == null ? !(question instanceof PeerRequest.State) : !addressee.equals(owner.toString())) {
                throw new Rejection(421, addressee == null
                        ? "The question does not say whom it is for; ask for the state first"
                        : "The question is for another worker, or for one that was started anew since");
            }
            return link.ask(question);
        }
    }

    /**
     * A filter for the requests below a path, of which the web server gives it no others.
     *
     * @param path below the application's context path
     * @param desk what answers; null where nothing is shared
     */
    WorkerFilter(String path, @Nullable Desk desk, Gatekeeper gatekeeper, @Nullable MessageSigner signer,
            MonotonicClock clock) {
        this.path = path;
        this.desk = desk;
        this.gatekeeper = gatekeeper;
        this.signer = signer;
        this.clock = clock;
        this.warned = new AtomicLong(clock.nanoTime() - SILENCE.toNanos());
    }

    /** The number of questions that were turned away. */
    long rejected() {
        return rejected.sum();
    }

    @Override
    protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain others)
            throws IOException {
        try {
            if (!room.tryAcquire()) {
                throw new Rejection(429, "Over " + AT_ONCE + " questions at once; ask again later");
            }
            try {
                answer(request, response);
            } finally {
                room.release();
            }
        } catch (Rejection e) {
            rejected.increment();
            log(connection(request), e);
            send(response, e.status(), "text/plain;charset=UTF-8",
                    Objects.requireNonNull(e.getMessage()).getBytes(StandardCharsets.UTF_8), null);
        }
    }

    /** Warns of what does not pass by itself, but not of every question: anybody can ask, and as often as they like. */
    private void log(HttpServletRequest connection, Rejection e) {
        long last = warned.get();
        long now = clock.nanoTime();
        boolean warn = (e.status() == 401 || e.status() == 403) && now - last >= SILENCE.toNanos()
                && warned.compareAndSet(last, now);
        log.atLevel(warn ? Level.WARN : Level.DEBUG)
                .log("A question from {} to {} was turned away: {}", connection.getRemoteAddr(),
                        connection.getLocalAddr(), e.getMessage());
    }

    private void answer(HttpServletRequest request, HttpServletResponse response) throws IOException {
        Gatekeeper.Visitor visitor = visitor(request);
        gatekeeper.look(visitor);
        byte[] body = body(request);
        gatekeeper.admit(visitor, request.getMethod(), pathAndQuery(request), body);
        PeerRequest question = question(request, body);
        if (desk == null) {
            throw new Rejection(404, "This instance shares no blocks");
        }
        send(response, 200, MESSAGE, ControlCodec.encode(desk.ask(question, visitor.addressee())),
                visitor.nonce());
    }

    private byte[] body(HttpServletRequest request) {
        if (request.getContentLengthLong() > MAX_BYTES) {
            throw tooLarge();
        }
        long started = clock.nanoTime();
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        byte[] some = new byte[BUFFER_BYTES];
        try {
            InputStream in = request.getInputStream();
            int read;
            while ((read = in.read(some, 0, Math.min(some.length, MAX_BYTES + 1 - body.size()))) >= 0) {
                body.write(some, 0, read);
                if (body.size() > MAX_BYTES) {
                    throw tooLarge();
                }
                if (clock.nanoTime() - started > ARRIVAL.toNanos()) {
                    throw new Rejection(408, "The question took over " + ARRIVAL.toSeconds() + " s to arrive");
                }
            }
        } catch (IOException e) {
            throw new Rejection(400, "The question could not be read to its end");
        }
        return body.toByteArray();
    }

    private static Rejection tooLarge() {
        return new Rejection(413, "The question is over " + MAX_BYTES + " bytes");
    }

    private static Gatekeeper.Visitor visitor(HttpServletRequest request) {
        HttpServletRequest connection = connection(request);
        return new Gatekeeper.Visitor(connection.getRemoteAddr(), connection.getLocalAddr(),
                OF_OTHERS.stream().anyMatch(header -> connection.getHeader(header) != null),
                certificates(connection), request.getHeader(Addressee.HEADER),
                request.getHeader(MessageSigner.TIME), request.getHeader(MessageSigner.NONCE),
                request.getHeader(MessageSigner.SIGNATURE));
    }

    private static List<X509Certificate> certificates(HttpServletRequest connection) {
        return connection.getAttribute(CERTIFICATES) instanceof X509Certificate[] chain ? List.of(chain) : List.of();
    }

    /** The request as it arrived, before filters made of it what its headers say. */
    private static HttpServletRequest connection(HttpServletRequest request) {
        return request instanceof ServletRequestWrapper wrapper
                && wrapper.getRequest() instanceof HttpServletRequest wrapped ? connection(wrapped) : request;
    }

    private static String pathAndQuery(HttpServletRequest request) {
        return request.getQueryString() == null ? request.getRequestURI()
                : request.getRequestURI() + "?" + request.getQueryString();
    }

    private PeerRequest question(HttpServletRequest request, byte[] body) {
        String uri = request.getRequestURI();
        String prefix = request.getContextPath() + path;
        String what = uri.startsWith(prefix) ? uri.substring(prefix.length()) : "";
        return switch (request.getMethod() + " " + what) {
            case "GET /state" -> new PeerRequest.State(asker(request));
            case "GET /blockset" -> new PeerRequest.Export(asker(request));
            case "POST /ask" -> decoded(body);
            default -> throw new Rejection(WHAT.contains(what) ? 405 : 404,
                    "There is GET /state, GET /blockset and POST /ask");
        };
    }

    private static long asker(HttpServletRequest request) {
        try {
            return Long.parseUnsignedLong(String.valueOf(request.getParameter("asker")));
        } catch (NumberFormatException e) {
            throw new Rejection(400, "The parameter asker is the number of the worker that asks");
        }
    }

    private static PeerRequest decoded(byte[] body) {
        try {
            return ControlCodec.decodeRequest(body);
        } catch (RemoteException e) {
            throw new Rejection(400, String.valueOf(e.getMessage()));
        }
    }

    private void send(HttpServletResponse response, int status, String type, byte[] body, @Nullable String nonce)
            throws IOException {
        response.setStatus(status);
        response.setContentType(type);
        response.setContentLength(body.length);
        response.setHeader("Cache-Control", "no-store");
        if (signer != null && nonce != null) {
            response.setHeader(MessageSigner.SIGNATURE, signer.answer(nonce, status, body));
        }
        response.getOutputStream().write(body);
    }
}
