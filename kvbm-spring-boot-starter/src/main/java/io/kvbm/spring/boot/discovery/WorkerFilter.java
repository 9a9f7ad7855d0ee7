package io.kvbm.spring.boot.discovery;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;

import jakarta.servlet.FilterChain;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import io.kvbm.error.RemoteException;
import io.kvbm.remote.ControlCodec;
import io.kvbm.remote.PeerLink;
import io.kvbm.remote.PeerRequest;

/**
 * What other instances ask this one: {@code GET /state} and {@code GET /blockset}, each with the asker's number, and
 * {@code POST /ask} with any question as {@link ControlCodec} writes it. Nothing of a question is looked at before it is
 * known to be small enough and from a member of the cluster. It is a filter, and comes before those of the application,
 * so that the application's security, which knows nothing of workers, is neither in the way nor changed.
 */
final class WorkerFilter extends HttpFilter {

    /** Questions that are answered at once. */
    static final int AT_ONCE = 64;

    static final String MESSAGE = "application/octet-stream";

    private static final long serialVersionUID = 1L;
    private static final Logger log = LoggerFactory.getLogger(WorkerFilter.class);
    private static final String CERTIFICATE = "jakarta.servlet.request.X509Certificate";

    private final String path;
    private final transient @Nullable PeerLink desk;
    private final transient Gatekeeper gatekeeper;
    private final transient @Nullable MessageSigner signer;
    private final transient Semaphore room = new Semaphore(AT_ONCE);
    private final transient LongAdder rejected = new LongAdder();

    /**
     * A filter for the requests below a path, of which the web server gives it no others.
     *
     * @param path below the application's context path
     * @param desk what answers; null where nothing is shared
     */
    WorkerFilter(String path, @Nullable PeerLink desk, Gatekeeper gatekeeper, @Nullable MessageSigner signer) {
        this.path = path;
        this.desk = desk;
        this.gatekeeper = gatekeeper;
        this.signer = signer;
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
            log.debug("A question from {} was turned away: {} {}", request.getRemoteAddr(), e.status(),
                    e.getMessage());
            send(response, e.status(), "text/plain;charset=UTF-8",
                    Objects.requireNonNull(e.getMessage()).getBytes(StandardCharsets.UTF_8), null);
        }
    }

    private void answer(HttpServletRequest request, HttpServletResponse response) throws IOException {
        byte[] body = body(request);
        String nonce = request.getHeader(MessageSigner.NONCE);
        gatekeeper.admit(visitor(request), request.getMethod(), pathAndQuery(request), body);
        PeerRequest question = question(request, body);
        if (desk == null) {
            throw new Rejection(404, "This instance shares no blocks");
        }
        send(response, 200, MESSAGE, ControlCodec.encode(desk.ask(question)), nonce);
    }

    private static byte[] body(HttpServletRequest request) throws IOException {
        if (request.getContentLengthLong() > ControlCodec.MAX_REQUEST_BYTES) {
            throw tooLarge();
        }
        try (InputStream in = request.getInputStream()) {
            byte[] body = in.readNBytes(ControlCodec.MAX_REQUEST_BYTES + 1);
            if (body.length > ControlCodec.MAX_REQUEST_BYTES) {
                throw tooLarge();
            }
            return body;
        }
    }

    private static Rejection tooLarge() {
        return new Rejection(413, "The question is over " + ControlCodec.MAX_REQUEST_BYTES + " bytes");
    }

    private static Gatekeeper.Visitor visitor(HttpServletRequest request) {
        return new Gatekeeper.Visitor(origin(request), request.getAttribute(CERTIFICATE) != null,
                request.getHeader(MessageSigner.TIME), request.getHeader(MessageSigner.NONCE),
                request.getHeader(MessageSigner.SIGNATURE));
    }

    /** The address that a question comes from; not that of a proxy on this machine, which passes on anybody's. */
    private static String origin(HttpServletRequest request) {
        boolean passedOn = request.getHeader("Forwarded") != null || request.getHeader("X-Forwarded-For") != null;
        return passedOn ? "passed on" : request.getRemoteAddr();
    }

    private static String pathAndQuery(HttpServletRequest request) {
        return request.getQueryString() == null ? request.getRequestURI()
                : request.getRequestURI() + "?" + request.getQueryString();
    }

    private PeerRequest question(HttpServletRequest request, byte[] body) {
        int prefix = request.getContextPath().length() + path.length();
        String what = request.getMethod() + " " + request.getRequestURI().substring(prefix);
        return switch (what) {
            case "GET /state" -> new PeerRequest.State(asker(request));
            case "GET /blockset" -> new PeerRequest.Export(asker(request));
            case "POST /ask" -> decoded(body);
            default -> throw new Rejection(404, "There is GET /state, GET /blockset and POST /ask");
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
