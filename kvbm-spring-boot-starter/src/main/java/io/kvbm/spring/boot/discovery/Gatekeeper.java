package io.kvbm.spring.boot.discovery;

import java.net.InetAddress;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

/**
 * Lets in who shares the cluster's key. Where there is none, that is who shows a certificate of the cluster's authority,
 * or, where there is no authority either, who is on the same machine. Safe for use by several threads.
 */
final class Gatekeeper {

    /** How far clocks may be apart. */
    static final Duration TOLERANCE = Duration.ofSeconds(60);

    /** Questions whose nonces are remembered at most; more within the time that they are valid are not answered. */
    static final int NONCES = 1 << 17;

    private final @Nullable MessageSigner signer;
    private final @Nullable Authority authority;
    private final boolean open;
    private final InstantSource clock;
    private final Map<String, Long> nonces = new HashMap<>();
    private long tidiedAt;

    /**
     * A gatekeeper.
     *
     * @param signer what knows the key; null where there is none
     * @param authority what vouches for others without a key; null where nothing does
     * @param open whether everybody is let in without a key
     */
    Gatekeeper(@Nullable MessageSigner signer, @Nullable Authority authority, boolean open, InstantSource clock) {
        this.signer = signer;
        this.authority = authority;
        this.open = open;
        this.clock = clock;
    }

    /**
     * Who asks, as far as can be seen from outside.
     *
     * @param from the address where its connection begins
     * @param to the address where its connection ends, which is one of this machine
     * @param handedOn whether something else than an instance has sent it, such as a proxy or a browser
     * @param certificates what it has shown to the web server, its own first; empty where it has shown none
     * @param addressee its {@link Addressee#HEADER}
     * @param time its {@link MessageSigner#TIME}
     * @param nonce its {@link MessageSigner#NONCE}
     * @param signature its {@link MessageSigner#SIGNATURE}
     */
    record Visitor(String from, String to, boolean handedOn, List<X509Certificate> certificates,
            @Nullable String addressee, @Nullable String time, @Nullable String nonce, @Nullable String signature) {

        /** Whether it is on this machine: a question can be handed on with any address, but not to any. */
        private boolean isHere() {
            return !handedOn && isLoopback(from) && isLoopback(to);
        }
    }

    /** Throws a {@link Rejection} for whom no question would let in, so that none of theirs need be read. */
    void look(Visitor visitor) {
        if (signer != null) {
            var _ = signed(visitor);
        } else if (!open) {
            requireKnown(visitor, authority);
        }
    }

    private static void requireKnown(Visitor visitor, @Nullable Authority authority) {
        if (authority == null && !visitor.isHere()) {
            throw new Rejection(403, "Without a key only questions over this machine's loopback address are answered;"
                    + " set the same kvbm.cluster.key on all instances");
        }
        // what a proxy shows is its own certificate, and whom it asks for is not known
        if (authority != null && (visitor.handedOn() || !authority.vouchesFor(visitor.certificates()))) {
            throw new Rejection(403, "Without a key only instances are answered that show a certificate which the trust"
                    + " store of kvbm.cluster.ssl-bundle leads to; set server.ssl.client-auth and that bundle, or"
                    + " the same kvbm.cluster.key, on all instances");
        }
    }

    /** Lets a question in, or throws a {@link Rejection}. */
    void admit(Visitor visitor, String method, String pathAndQuery, byte[] body) {
        look(visitor);
        if (signer == null) {
            return;
        }
        Signed signed = signed(visitor);
        if (!MessageSigner.isSame(signer.question(method, pathAndQuery, visitor.addressee(), signed.time(),
                signed.nonce(), body), signed.signature())) {
            throw new Rejection(401, "The signature is wrong; set the same kvbm.cluster.key on all instances");
        }
        long now = clock.millis();
        if (Math.abs(now - Long.parseLong(signed.time())) > TOLERANCE.toMillis()) {
            throw new Rejection(401, "The clocks of the two machines are over " + TOLERANCE.toSeconds()
                    + " s apart; set them");
        }
        remember(signed.nonce(), now);
    }

    private record Signed(String time, String nonce, String signature) {}

    private static Signed signed(Visitor visitor) {
        String time = visitor.time();
        String nonce = visitor.nonce();
        String signature = visitor.signature();
        if (time == null || nonce == null || signature == null) {
            throw new Rejection(401, "The question is not signed; set kvbm.cluster.key on all instances");
        }
        if (!nonce.matches("[0-9a-f]{32}") || !time.matches("[0-9]{1,15}")) {
            throw new Rejection(401, "The time or the nonce of the question is none");
        }
        return new Signed(time, nonce, signature);
    }

    private synchronized void remember(String nonce, long now) {
        if (nonces.size() >= NONCES / 2 && Math.abs(now - tidiedAt) > TOLERANCE.toMillis() / 4) {
            forget(now);
        }
        if (nonces.size() >= NONCES) {
            throw new Rejection(429, "Over " + NONCES + " questions in " + 2 * TOLERANCE.toSeconds()
                    + " s; ask less often");
        }
        if (nonces.putIfAbsent(nonce, now) != null) {
            throw new Rejection(401, "The question was asked before");
        }
    }

    /** A nonce is remembered for as long as a question that has it could still be within its time. */
    private void forget(long now) {
        tidiedAt = now;
        for (Iterator<Long> times = nonces.values().iterator(); times.hasNext();) {
            if (now - times.next() > 2 * TOLERANCE.toMillis()) {
                times.remove();
            }
        }
    }

    private static boolean isLoopback(String address) {
        try {
            return InetAddress.ofLiteral(address).isLoopbackAddress();
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
