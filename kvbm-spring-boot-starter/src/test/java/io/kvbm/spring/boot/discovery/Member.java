package io.kvbm.spring.boot.discovery;

import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

import org.jspecify.annotations.Nullable;
import org.springframework.mock.web.MockHttpServletRequest;

import io.kvbm.spring.boot.discovery.Gatekeeper.Visitor;

/** Somebody who has a key and asks as an instance does, or nearly so. */
final class Member {

    static final String KEY = "0123456789abcdef0123456789abcdef";
    static final String OTHER_KEY = "0123456789abcdef0123456789abcdeF";
    static final String NONCE = "00112233445566778899aabbccddeeff";
    static final byte[] NOTHING = {};

    static final String HERE = "127.0.0.1";
    static final String ELSEWHERE = "192.0.2.7";

    private final MessageSigner signer;
    private final InstantSource clock;
    private final Random random;
    private final @Nullable String addressee;

    Member(String key, InstantSource clock) {
        this(key, clock, new Random());
    }

    Member(String key, InstantSource clock, Random random) {
        this(new MessageSigner(key), clock, random, null);
    }

    private Member(MessageSigner signer, InstantSource clock, Random random, @Nullable String addressee) {
        this.signer = signer;
        this.clock = clock;
        this.random = random;
        this.addressee = addressee;
    }

    /** The same, asking somebody whom it knows. */
    Member to(Addressee whom) {
        return new Member(signer, clock, random, whom.toString());
    }

    /** A nonce that was not there before. */
    String nonce() {
        byte[] bytes = new byte[16];
        random.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /** What a question has in its headers. */
    Map<String, String> headers(String method, String pathAndQuery, byte[] body) {
        String time = Long.toString(clock.millis());
        String nonce = nonce();
        Map<String, String> headers = new LinkedHashMap<>();
        if (addressee != null) {
            headers.put(Addressee.HEADER, addressee);
        }
        headers.put(MessageSigner.TIME, time);
        headers.put(MessageSigner.NONCE, nonce);
        headers.put(MessageSigner.SIGNATURE, signer.question(method, pathAndQuery, addressee, time, nonce, body));
        return headers;
    }

    /** A question that a web server has taken, from another machine. */
    MockHttpServletRequest request(String method, String pathAndQuery, byte[] body) {
        MockHttpServletRequest request = unsigned(method, pathAndQuery, body);
        headers(method, pathAndQuery, body).forEach(request::addHeader);
        return request;
    }

    /** One without signature. */
    static MockHttpServletRequest unsigned(String method, String pathAndQuery, byte[] body) {
        int query = pathAndQuery.indexOf('?');
        MockHttpServletRequest request = new MockHttpServletRequest(method,
                query < 0 ? pathAndQuery : pathAndQuery.substring(0, query));
        if (query >= 0) {
            request.setQueryString(pathAndQuery.substring(query + 1));
            for (String parameter : pathAndQuery.substring(query + 1).split("&", -1)) {
                String[] parts = parameter.split("=", 2);
                request.addParameter(parts[0], parts.length < 2 ? "" : parts[1]);
            }
        }
        request.setContent(body);
        request.setRemoteAddr(ELSEWHERE);
        request.setLocalAddr("192.0.2.8");
        return request;
    }

    /** Somebody on another machine with these headers. */
    static Visitor visitor(Map<String, String> headers) {
        return new Visitor(ELSEWHERE, "192.0.2.8", false, List.of(), headers.get(Addressee.HEADER),
                headers.get(MessageSigner.TIME), headers.get(MessageSigner.NONCE),
                headers.get(MessageSigner.SIGNATURE));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
