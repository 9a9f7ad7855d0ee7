package io.kvbm.spring.boot.discovery;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.HexFormat;

import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpRequest;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.client.ClientHttpRequestExecution;
import org.springframework.http.client.ClientHttpRequestInterceptor;
import org.springframework.http.client.ClientHttpResponse;

import io.kvbm.error.RemoteException;
import io.kvbm.remote.ControlCodec;

/** Signs questions, and lets only answers through that are small enough and signed for the question. */
final class MemberInterceptor implements ClientHttpRequestInterceptor {

    private static final int REASON_BYTES = 500;

    private static final SecureRandom RANDOM = new SecureRandom();

    private final @Nullable MessageSigner signer;
    private final InstantSource clock;

    MemberInterceptor(@Nullable MessageSigner signer, InstantSource clock) {
        this.signer = signer;
        this.clock = clock;
    }

    @Override
    public ClientHttpResponse intercept(HttpRequest request, byte[] body, ClientHttpRequestExecution execution)
            throws IOException {
        byte[] random = new byte[16];
        RANDOM.nextBytes(random);
        String nonce = HexFormat.of().formatHex(random);
        if (signer != null) {
            String time = Long.toString(clock.millis());
            request.getHeaders().set(MessageSigner.TIME, time);
            request.getHeaders().set(MessageSigner.NONCE, nonce);
            request.getHeaders()
                    .set(MessageSigner.SIGNATURE, signer.question(request.getMethod().name(),
                            pathAndQuery(request.getURI()), request.getHeaders().getFirst(Addressee.HEADER), time,
                            nonce, body));
        }
        try (ClientHttpResponse response = execution.execute(request, body);
                InputStream answer = response.getBody()) { // closed first: what is left of it is not read
            return checked(request.getURI(), nonce, response, answer);
        }
    }

    private static String pathAndQuery(URI uri) {
        return uri.getRawQuery() == null ? uri.getRawPath() : uri.getRawPath() + "?" + uri.getRawQuery();
    }

    private ClientHttpResponse checked(URI uri, String nonce, ClientHttpResponse response, InputStream in)
            throws IOException {
        int status = response.getStatusCode().value();
        if (status != 200) {
            throw refused(uri, status, in);
        }
        byte[] answer = in.readNBytes(ControlCodec.MAX_ANSWER_BYTES + 1);
        if (answer.length > ControlCodec.MAX_ANSWER_BYTES) {
            throw new RemoteException(RemoteException.Kind.LIMIT, "The answer of " + uri + " is over "
                    + ControlCodec.MAX_ANSWER_BYTES + " bytes; it is not read");
        }
        if (signer != null) {
            String signature = response.getHeaders().getFirst(MessageSigner.SIGNATURE);
            if (signature == null || !MessageSigner.isSame(signer.answer(nonce, status, answer), signature)) {
                throw new Distrust("The answer of " + uri
                        + " is not signed, or not for this question; set the same kvbm.cluster.key on all instances");
            }
        }
        if (answer.length == 0) {
            throw new RemoteException(RemoteException.Kind.MALFORMED, "The answer of " + uri + " is empty");
        }
        return new Answer(answer);
    }

    private static RuntimeException refused(URI uri, int status, InputStream in) throws IOException {
        String reason = new String(in.readNBytes(REASON_BYTES), StandardCharsets.UTF_8)
                .replaceAll("[^\\x20-\\x7e]", "?");
        String message = uri + " answered " + status + ": " + reason;
        if (status == 401 || status == 403) {
            return new Distrust(message);
        }
        RemoteException.Kind kind = switch (status) {
            case 413 -> RemoteException.Kind.LIMIT;
            case 421 -> RemoteException.Kind.STALE_EPOCH;
            case 429 -> RemoteException.Kind.BUSY;
            default -> RemoteException.Kind.TRANSPORT;
        };
        return new RemoteException(kind, message);
    }

    /** An answer that was read to its end, and of whose headers nothing is believed. */
    @SuppressWarnings("ArrayRecordComponent") // lives until it is decoded
    private record Answer(byte[] body) implements ClientHttpResponse {

        @Override
        public HttpStatusCode getStatusCode() {
            return HttpStatusCode.valueOf(200);
        }

        @Override
        public String getStatusText() {
            return "OK";
        }

        @Override
        public HttpHeaders getHeaders() {
            return new HttpHeaders();
        }

        @Override
        public InputStream getBody() {
            return new ByteArrayInputStream(body);
        }

        @Override
        public void close() {}
    }
}
